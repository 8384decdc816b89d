"""The policy that a setting names: ``off``, ``package.module:attribute``,
``transformers:/folder?refuse=label`` or ``http(s)://...``.
"""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from omnireel.errors import FailedPrecondition, InvalidInput, Unavailable
from services.common.logs import get_logger
from services.common.safety.classifier import Classifier, Subject, SubjectKind, Verdict
from services.common.safety.remote import RemoteClassifier

log = get_logger(__name__)

OFF = "off"
_LOCAL = "transformers:"
_IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class SafetyPolicy:
    """Asks ``classifier`` and lets nothing pass that it did not allow within ``timeout_s``."""

    classifier: Classifier
    timeout_s: float = 30.0

    def require(self, subject: Subject) -> None:
        """Return only if the subject is allowed.

        Raises:
            InvalidInput: the request was refused (reason SAFETY_REFUSED).
            FailedPrecondition: the output was refused (reason SAFETY_REFUSED).
            Unavailable: the classifier failed or did not answer (reason SAFETY_UNAVAILABLE).
        """
        verdict = self._ask(subject)
        if verdict.allowed is True:
            return
        why = verdict.reason[:300] or "it gave no reason"
        if subject.kind is SubjectKind.REQUEST:
            refused = InvalidInput(f"the safety policy refused the request: {why}", field="prompt")
            refused.reason = "SAFETY_REFUSED"
            raise refused
        raise FailedPrecondition(
            f"the safety policy refused the result, and it was removed: {why}",
            reason="SAFETY_REFUSED",
        )

    def _ask(self, subject: Subject) -> Verdict:
        """A verdict, from a thread that is left behind when it does not come back."""
        found: list[Verdict | BaseException] = []

        def ask() -> None:
            try:
                found.append(self.classifier(subject))
            except BaseException as error:  # noqa: BLE001 - whatever it was, it is a no
                found.append(error)

        thread = threading.Thread(target=ask, name="safety", daemon=True)
        thread.start()
        thread.join(self.timeout_s)
        answer = found[0] if found else TimeoutError(f"no verdict within {self.timeout_s:g} s")
        if isinstance(answer, Verdict):
            return answer
        log.error("the safety classifier failed; nothing passes", error=repr(answer)[:500])
        failed = Unavailable("the safety policy cannot be asked now; nothing was released")
        failed.reason = "SAFETY_UNAVAILABLE"
        raise failed


def open_policy(named: str, timeout_s: float, field: str = "safety") -> SafetyPolicy | None:
    """The policy that ``named`` means; None for ``off``.

    ``package.module:attribute`` is a classifier, or a callable without arguments that makes one
    when the attribute is a class.

    Raises:
        InvalidInput: it names nothing that can be used.
    """
    if named == OFF:
        return None
    if named.startswith(("http://", "https://")):
        return SafetyPolicy(RemoteClassifier(named, timeout_s), timeout_s)
    if named.startswith(_LOCAL):
        return SafetyPolicy(_local(named.removeprefix(_LOCAL)), timeout_s)
    if not _IMPORT_PATH.fullmatch(named):
        raise InvalidInput(
            f"{field} is {named[:80]!r}; give a classifier (package.module:attribute, "
            'transformers:/folder or https://...), or "off"',
            field=field,
        )
    return SafetyPolicy(_imported(named, field), timeout_s)


def _local(named: str) -> Classifier:
    path, _, query = named.partition("?")
    # By name, so that a worker without such a policy never loads torch.
    opened = importlib.import_module("services.common.safety.local_model")
    classifier: Classifier = opened.open_local(path, dict(parse_qsl(query, keep_blank_values=True)))
    return classifier


def _imported(named: str, field: str) -> Classifier:
    module, _, attribute = named.partition(":")
    try:
        found: Callable[..., object] = getattr(importlib.import_module(module), attribute)
        classifier = found() if isinstance(found, type) else found
    except Exception as error:
        raise InvalidInput(
            f"{field}: {named} cannot be loaded ({error}); check the import path", field=field
        ) from error
    if not callable(classifier):
        raise InvalidInput(f"{field}: {named} is not callable", field=field)
    return classifier  # type: ignore[return-value]
