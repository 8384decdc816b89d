"""Who may speak to whom: the arrows that the NetworkPolicies leave, all of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.charts import (
    PRODUCTION,
    PRODUCTION_TRAINING,
    Object,
    Rendered,
    render,
    render_training,
)

MODELS = ("prompt-enhancer", "generator", "super-resolver")
COMPONENT = "app.kubernetes.io/component"
ALL = 0
"""Stands for all ports in an arrow."""
Arrow = tuple[str, str, int]


def policies(rendered: Rendered) -> list[tuple[str, Any]]:
    found = [p["spec"] for p in rendered.of("NetworkPolicy").values()]
    return [(p["podSelector"]["matchLabels"].get(COMPONENT, "*"), p) for p in found]


def arrows(rendered: Rendered, direction: str) -> set[Arrow]:
    """(from, to, port); ``*`` is anybody, ``monitoring`` and ``kube-system`` are other namespaces,
    ``namespace`` is every pod of the release's own."""
    found: set[Arrow] = set()
    side = "from" if direction == "ingress" else "to"
    for component, policy in policies(rendered):
        for rule in policy.get(direction, ()):
            for peer in rule.get(side, [{}]):
                for port in rule.get("ports", [{"port": ALL}]):
                    pair = (name_of(peer), component)
                    ends = pair if direction == "ingress" else pair[::-1]
                    found.add((*ends, port["port"]))
    return found


def name_of(peer: Object) -> str:
    if "ipBlock" in peer:
        return "web"
    if "namespaceSelector" in peer:
        name: str = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        return name
    if peer.get("podSelector") == {}:
        return "namespace"
    return str(peer["podSelector"]["matchLabels"][COMPONENT]) if peer else "*"


def test_everything_else_is_closed() -> None:
    rendered = render(PRODUCTION)
    pods = [pod["metadata"]["labels"] for pod in rendered.pods().values()]
    (closed,) = [spec for component, spec in policies(rendered) if component == "*"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in closed
    for labels in pods:
        assert closed["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_arrows_into_each_part() -> None:
    into = arrows(render(PRODUCTION), "ingress")
    expected = {("*", "gateway", 7070), ("*", "gateway", 7080)}
    expected |= {(caller, model, 7070) for caller in ("gateway", "worker") for model in MODELS}
    expected |= {("monitoring", part, 9090) for part in ("gateway", "worker", *MODELS)}
    assert into == expected


def test_the_arrows_out_of_each_part() -> None:
    out = arrows(render(PRODUCTION), "egress")
    expected = {(part, "kube-system", 53) for part in ("*", "preflight")}
    expected |= {(caller, model, 7070) for caller in ("gateway", "worker") for model in MODELS}
    databases = ("gateway", "worker", "migrations", "preflight")
    expected |= {(part, "*", 5432) for part in databases}
    expected |= {(part, "*", 6379) for part in ("worker", "preflight")}
    expected |= {(part, "*", 443) for part in ("gateway", "worker", "preflight", *MODELS)}
    assert out == expected


def test_within_the_release_both_ends_say_the_same() -> None:
    rendered = render(dev=True)
    inside = {c for c, _ in policies(rendered)} - {"*"}

    def both(found: set[Arrow]) -> set[Arrow]:
        return {a for a in found if a[0] in inside and a[1] in inside}

    assert both(arrows(rendered, "ingress")) == both(arrows(rendered, "egress"))
    assert ("worker", "dev-redis", 6379) in arrows(rendered, "ingress")
    assert ("generator", "dev-postgresql", 5432) not in arrows(rendered, "ingress")


def test_webhooks_reach_the_web_and_no_private_address() -> None:
    rendered = render(PRODUCTION, {"gateway": {"signingKey": {"existingSecret": "signing"}}})
    assert ("gateway", "web", 443) in arrows(rendered, "egress")
    rules = rendered.one("NetworkPolicy", "r-omnireel-gateway")["spec"]["egress"]
    blocks = [peer["ipBlock"] for rule in rules for peer in rule.get("to", ()) if "ipBlock" in peer]
    assert "10.0.0.0/8" in blocks[0]["except"]


def test_webhooks_that_are_off_reach_nobody() -> None:
    gateway = {"signingKey": {"existingSecret": "signing"}, "webhooks": {"enabled": False}}
    assert ("gateway", "web", 443) not in arrows(render(PRODUCTION, {"gateway": gateway}), "egress")


ISSUER = {"oidc_issuer": "https://kc.internal:8443", "oidc_audience": "video"}
SIGNED = {"signingKey": {"existingSecret": "signing"}}


@pytest.mark.parametrize(
    ("gateway", "private", "public"),
    [
        ({"settings": ISSUER}, {8443}, set()),
        ({"settings": ISSUER, **SIGNED}, {8443}, {443}),
        ({**SIGNED, "webhooks": {"ports": [443, 444], "allow_networks": ["10.1.0.0/16"]},
          "settings": {"fetch_urls": "on", "fetch_ports": [445]}}, {443, 444}, {445}),
        ({**SIGNED, "settings": {"fetch_urls": "on", "fetch_networks": ["10.1.0.0/16"]},
          "webhooks": {"ports": [444]}}, {443}, {444}),
    ],
)  # fmt: skip
def test_an_issuer_opens_no_private_address_on_other_ports(
    gateway: Object, private: set[int], public: set[int]
) -> None:
    store = {"store": {"port": 9}, "database": {"port": 9}}
    rendered = render(PRODUCTION, store, {"gateway": gateway})
    out = {(end, port) for part, end, port in arrows(rendered, "egress") if part == "gateway"}
    assert {port for end, port in out if end == "*"} == {9, *private}
    assert {port for end, port in out if end == "web"} == public


def test_the_preflight_has_its_arrows_before_the_other_objects_change() -> None:
    """Before an upgrade the others are the old ones, and before an install there are none."""
    changed = {"broker": {"port": 5672}}
    policy = render(PRODUCTION, changed).one("NetworkPolicy", "r-omnireel-preflight")
    hook = policy["metadata"]["annotations"]
    job = render(PRODUCTION, changed).one("Job", "r-omnireel-preflight")["metadata"]["annotations"]
    assert hook["helm.sh/hook"] == job["helm.sh/hook"]
    assert int(hook["helm.sh/hook-weight"]) < int(job.get("helm.sh/hook-weight", 0))
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 5432, 5672, 443}


ADDRESSES: list[tuple[Object, set[Arrow]]] = [
    (
        {"store": {"url": "s3://b?region=x&endpoint=http://minio:9000"}},
        {(part, "*", 9000) for part in ("gateway", "worker", "preflight", *MODELS)},
    ),
    (
        {"store": {"url": "s3://b?endpoint=http://minio:9000", "port": 9001}},
        {(part, "*", 9001) for part in ("gateway", "worker", "preflight", *MODELS)},
    ),
    (
        {"weights": {"source": "s3", "s3": {"url": "s3://m/7?endpoint=http://models:9000"}}},
        {(part, "*", 9000) for part in MODELS},
    ),
    (
        {"gateway": {"settings": {"oidc_issuer": "https://kc:8443/realms/video"}}},
        {("gateway", "*", 8443)},
    ),
    ({"worker": {"safety": "https://classifier:8443/check"}}, {("worker", "*", 8443)}),
    (
        {"worker": {"settings": {"c2pa_time_authority": "http://time.example.com"}}},
        {("worker", "*", 80)},
    ),
    (
        {"promptEnhancer": {"settings": {"url": "http://[fd00::7]:8000/v1"}}},
        {("prompt-enhancer", "*", 8000)},
    ),
    (
        {"generator": {"settings": {"otlp_endpoint": "http://collector:4317"}}},
        {("generator", "*", 4317)},
    ),
]


@pytest.mark.parametrize(("values", "more"), ADDRESSES)
def test_addresses_open_their_own_ports(values: Object, more: set[Arrow]) -> None:
    before = arrows(render(PRODUCTION), "egress")
    assert arrows(render(PRODUCTION, values), "egress") - before == more


def test_nobody_reads_metrics_where_nobody_is_named() -> None:
    into = arrows(render(PRODUCTION, {"networkPolicies": {"monitoring": []}}), "ingress")
    assert into and 9090 not in {port for _, _, port in into}


def test_peers_that_are_named_close_the_rest() -> None:
    peers = [{"ipBlock": {"cidr": "10.9.0.0/24"}}]
    callers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
    values = {
        "database": {"peers": peers, "port": 6432},
        "gateway": {"callers": callers},
        "networkPolicies": {"otlpPort": 4317},
    }
    rendered = render(PRODUCTION, values)
    assert ("worker", "web", 6432) in arrows(rendered, "egress")
    assert ("generator", "*", 4317) in arrows(rendered, "egress")
    into = arrows(rendered, "ingress")
    assert ("ingress", "gateway", 7070) in into
    assert ("*", "gateway", 7070) not in into


def test_they_can_be_left_to_somebody_else() -> None:
    assert not render(PRODUCTION, {"networkPolicies": {"enabled": False}}).of("NetworkPolicy")


def test_ranks_hear_each_other_and_nobody_else() -> None:
    """Their collectives unpickle what arrives, without asking who sent it."""
    rendered = render_training(PRODUCTION_TRAINING)
    into = arrows(rendered, "ingress")
    assert into == {("trainer", "trainer", ALL), ("namespace", "mlflow", 5000)}
    (ranks,) = (spec for component, spec in policies(rendered) if component == "trainer")
    labels = rendered.pods()["TrainingRuntime/omnireel"]["metadata"]["labels"]
    assert ranks["podSelector"]["matchLabels"].items() <= labels.items()
    assert ranks["policyTypes"] == ["Ingress", "Egress"]


def test_every_other_pod_of_training_is_called_by_nobody() -> None:
    rendered = render_training(PRODUCTION_TRAINING)
    (closed,) = [spec for component, spec in policies(rendered) if component == "*"]
    assert closed["policyTypes"] == ["Ingress"] and "ingress" not in closed
    pods = rendered.pods()
    assert {"CronJob/here-omnireel-training-reaper", "Job/here-omnireel-training-buckets-1"} <= set(
        pods
    )
    for pod in pods.values():
        labels = pod["metadata"]["labels"]
        assert closed["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_arrows_out_of_training() -> None:
    out = arrows(render_training(PRODUCTION_TRAINING), "egress")
    expected = {(part, "kube-system", 53) for part in ("trainer", "mlflow")}
    expected |= {(part, "*", 9000) for part in ("trainer", "mlflow")}
    expected |= {("trainer", "trainer", ALL), ("trainer", "mlflow", 5000), ("mlflow", "*", 5432)}
    assert out == expected


def test_ranks_reach_what_the_values_name() -> None:
    elsewhere = {"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}
    before = arrows(render_training(PRODUCTION_TRAINING), "egress")
    rendered = render_training(PRODUCTION_TRAINING, {"runtime": {"egress": [elsewhere]}})
    assert arrows(rendered, "egress") - before == {("trainer", "web", 443)}


def test_ranks_reach_mlflow_whoever_else_may() -> None:
    callers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "steps"}}}]
    rendered = render_training(PRODUCTION_TRAINING, {"networkPolicies": {"callers": callers}})
    into = arrows(rendered, "ingress") - {("trainer", "trainer", ALL)}
    assert into == {(caller, "mlflow", 5000) for caller in ("trainer", "steps")}


def test_training_without_a_part_has_no_policy_of_it() -> None:
    off = {"runtime": {"enabled": False}, "networkPolicies": {"enabled": True}}
    assert ("trainer", "trainer", ALL) not in arrows(
        render_training(PRODUCTION_TRAINING, off), "ingress"
    )
    none = render_training(PRODUCTION_TRAINING, {"networkPolicies": {"enabled": False}})
    assert not none.of("NetworkPolicy")
