"""docs/serving/reference.md from the code: ``python -m infra.documents.reference``.

Reasons come from their table, settings from the classes that read them, metrics from the
collectors that export them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from infra.documents.reasons import REASONS, WARNINGS
from services.common.settings import ServiceSettings
from services.common.storage.policy import StorageSettings
from services.common.telemetry.metrics import JobMetrics, ModelMetrics, RpcMetrics
from services.gateway.http.settings import HttpSettings
from services.gateway.metrics import _families
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.settings import WebhookSettings
from services.generator.settings import GeneratorSettings
from services.prompt_enhancer.settings import PromptEnhancerSettings
from services.super_resolver.settings import SuperResolverSettings
from services.worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/serving/reference.md"
SETTINGS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("Gateway", GatewaySettings),
    ("HTTP, of the gateway", HttpSettings),
    ("Webhooks, of the gateway", WebhookSettings),
    ("Worker", WorkerSettings),
    ("Prompt enhancer", PromptEnhancerSettings),
    ("Generator", GeneratorSettings),
    ("Super-resolver", SuperResolverSettings),
    ("Storage, of gateway and worker", StorageSettings),
)
Row = Sequence[str]

ERRORS = """\
# Errors, settings and metrics

Written by `python -m infra.documents.reference` from the code; a test keeps it current.

## Error reasons

Every error is a `google.rpc.Status` whose `ErrorInfo` has the domain `omnireel` and a stable
reason. Over HTTP it has the status below, and answers of `/v1` give the reason in lower case as
`code`. A failed job keeps its reason in `error`.
"""
VARIABLES = """
## Settings

Environment variables of each service. A wrong value stops the process with one line; lists and
maps are JSON. On one machine `omnireel up` sets addresses, stores and weights itself; a chart has
most others as values.

### All services

With the prefix of each service: `OMNIREEL_GATEWAY_`, `OMNIREEL_WORKER_`,
`OMNIREEL_PROMPT_ENHANCER_`, `OMNIREEL_GENERATOR_`, `OMNIREEL_SUPER_RESOLVER_`. Where a service has
another default, its own table has the variable again.
"""
METRICS = """
## Metrics

Prometheus families at `METRICS_LISTEN` of each process, beside the usual `process_` ones.
"""


def page_text() -> str:
    """The whole page."""
    reasons = [(f"`{r.name}`", f"`{r.code}`", str(r.http), r.meaning) for r in REASONS]
    warnings = [(f"`{code}`", text) for code, text in WARNINGS]
    metrics = _table(("Metric", "Type", "Labels", "Meaning", "Of"), metric_rows())
    lines = [
        ERRORS,
        *_table(("Reason", "gRPC code", "HTTP status", "Meaning"), reasons),
        "\nA finished video may carry warnings:\n",
        *_table(("Warning", "Meaning"), warnings),
        VARIABLES,
        *_settings("", ServiceSettings, {}),
        *(line for title, kind in SETTINGS for line in ("", *_of(title, kind))),
        METRICS,
        *metrics,
    ]
    return "\n".join(lines) + "\n"


def _of(title: str, kind: type[BaseSettings]) -> list[str]:
    shared = ServiceSettings.model_fields if issubclass(kind, ServiceSettings) else {}
    return [f"### {title}", "", *_settings(str(kind.model_config["env_prefix"]), kind, shared)]


def _settings(prefix: str, kind: type[BaseSettings], shared: dict[str, Any]) -> list[str]:
    rows = [
        (f"`{prefix}{name.upper()}`", _default(field), field.description or "")
        for name, field in kind.model_fields.items()
        if name not in shared or _default(field) != _default(shared[name])
    ]
    return _table(("Variable", "Default", "Meaning"), rows)


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None or value == "":
        return ""
    value = getattr(value, "value", value)
    if isinstance(value, frozenset):
        value = sorted(value)
    if isinstance(value, Path) and value.is_relative_to(ROOT):
        value = value.relative_to(ROOT)
    return f"`{json.dumps(value) if isinstance(value, (bool, list, tuple, dict)) else value}`"


def metric_rows() -> list[Row]:
    """Name, type, labels, meaning and process of every family."""
    found = [
        _metric_row(family, _labels(registry, family), of)
        for of, registry in _registries().items()
        for family in registry.collect()
        if family.name.startswith("omnireel_")
    ]
    found += [
        _metric_row(f, getattr(f, "_labelnames", ()), "gateway") for f in _families(None, 0, 0)
    ]
    return sorted(found)


def _registries() -> dict[str, CollectorRegistry]:
    every, worker, model = (CollectorRegistry() for _ in range(3))
    RpcMetrics(every)
    JobMetrics(worker)
    ModelMetrics(model, occupied=float, silent_s=float)
    return {"all": every, "worker": worker, "model services": model}


def _labels(registry: CollectorRegistry, family: Any) -> Iterable[str]:
    """Those declared for the family; collectors of one family keep them to themselves."""
    declared = getattr(family, "_labelnames", None)
    collector = registry._names_to_collectors.get(family.name)
    return declared or getattr(collector, "_labelnames", ())


def _metric_row(family: Any, labels: Iterable[str], of: str) -> Row:
    ending = "_total" if family.type == "counter" else ""
    return (
        f"`{family.name}{ending}`", family.type, ", ".join(labels), family.documentation, of
    )  # fmt: skip


def _table(head: Row, rows: Iterable[Row]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
