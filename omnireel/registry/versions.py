"""Model versions: what the registry knows about each, and how one is found.

MLflow holds the truth. A version's facts are tags that are written in the same transaction as the
version, so that none is ever half described.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from omnireel.errors import InvalidInput, NotFound
from omnireel.registry.reference import Reference, parse_reference
from omnireel.registry.tracking import mlflow_errors, not_found, open_client

CHAMPION = "champion"
TAG = "omnireel."


@dataclass(frozen=True)
class ModelVersion:
    """One registered component. Unknown text is ""; hashes are hexadecimal SHA-256."""

    name: str
    number: int
    kind: str
    content_hash: str
    """Of weights and configuration together (:func:`content_hash`)."""
    weights_hash: str
    """The version that a loaded pipeline reports (:func:`weights_hash`)."""
    source: str
    """Where its files are."""
    created: datetime
    aliases: tuple[str, ...] = ()
    run_id: str = ""
    recipe: str = ""
    git_revision: str = ""
    data: str = ""
    data_manifest: str = ""
    """Hash of the manifest of the data that it was trained on."""
    parents: tuple[str, ...] = ()
    """References (``name/3``) of the versions that it was made from."""
    gate: str = ""
    """"passed" or "refused" once a gate has judged it."""
    gate_reasons: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """``name/number``: never moves."""
        return f"{self.name}/{self.number}"


def content_hash(card: Mapping[str, Any]) -> str:
    """Hash of everything that decides what a component computes: its weights and configuration.

    The card's other facts (wall time, scores) are not part of it: a run that was stopped and
    exports again makes the same content.
    """
    lines = [f"{name} {digest}\n" for name, digest in sorted(card["sha256"].items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def weights_hash(card: Mapping[str, Any]) -> str:
    """The version that a pipeline reports: the weight file's hash, or of all hashes, if several."""
    hashes = [h for name, h in sorted(card["sha256"].items()) if name.endswith(".safetensors")]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


class Registry:
    """The versions at one tracking address; every question asks MLflow anew."""

    def __init__(self, client: Any, tracking_uri: str) -> None:
        self.client = client
        self.tracking_uri = tracking_uri

    @classmethod
    def open(cls, tracking_uri: str, *, create: bool = False) -> Registry:
        """Connect (see :func:`omnireel.registry.tracking.open_client`)."""
        return cls(open_client(tracking_uri, create=create), tracking_uri)

    def names(self) -> list[str]:
        """Every model that Omnireel registered, in order."""
        return sorted({version.name for version in self.versions()})

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """All versions (of one name), oldest first; versions of other makers are left out."""
        found: list[Any] = []
        query = "" if name is None else f"name = '{name}'"
        with mlflow_errors(self.tracking_uri):
            token = None
            while True:
                page = self.client.search_model_versions(query, page_token=token)
                found += page
                token = page.token
                if not token:
                    break
            ours = [v for v in found if TAG + "content_hash" in v.tags]
            aliases = {n: self._aliases(n) for n in {v.name for v in ours}}
        versions = [_version(v, aliases[v.name]) for v in ours]
        return sorted(versions, key=lambda v: (v.created, v.name, v.number))

    def resolve(self, reference: str) -> ModelVersion:
        """The version that a reference names (see :mod:`omnireel.registry.reference`).

        Raises:
            InvalidInput: no reference, or one that names no single version.
            NotFound: no such name, version, alias or hash; the message lists near ones.

        """
        wanted = parse_reference(reference)
        if wanted.digest:
            return self._by_hash(wanted.digest)
        versions = self.named(wanted.name)
        if wanted.number is not None:
            match = [v for v in versions if v.number == wanted.number]
        else:
            match = [v for v in versions if wanted.alias and wanted.alias in v.aliases]
        if match:
            return match[0]
        raise _no_match(wanted, versions)

    def named(self, name: str) -> list[ModelVersion]:
        """The versions of a name, oldest first.

        Raises:
            NotFound: no model has that name.

        """
        versions = self.versions(name)
        if not versions:
            names = self.names()
            near = get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
            known = f"there are {', '.join(near)}" if near else "the registry is empty"
            raise NotFound(f"no model is named {name!r} at {self.tracking_uri}; {known}")
        return versions

    def champion(self, name: str) -> ModelVersion | None:
        """The version that ``name@champion`` is at the moment."""
        return next((v for v in self.versions(name) if CHAMPION in v.aliases), None)

    def with_content(self, name: str, digest: str) -> ModelVersion | None:
        """The first version of a name with this content."""
        match = [v for v in self.versions(name) if v.content_hash == digest]
        return min(match, key=lambda v: v.number, default=None)

    def model_tags(self, name: str) -> dict[str, str]:
        """Tags of the registered model as a whole."""
        with mlflow_errors(self.tracking_uri):
            return dict(self.client.get_registered_model(name).tags)

    def _aliases(self, name: str) -> dict[str, int]:
        try:
            found = self.client.get_registered_model(name).aliases
        except Exception as error:
            if not_found(error):  # deleted since it was listed
                return {}
            raise
        return {alias: int(number) for alias, number in found.items()}

    def _by_hash(self, digest: str) -> ModelVersion:
        match = [
            v
            for v in self.versions()
            if v.content_hash.startswith(digest) or v.weights_hash.startswith(digest)
        ]
        if not match:
            raise NotFound(f"no version's hash starts with {digest!r} at {self.tracking_uri}")
        if len({v.content_hash for v in match}) > 1:
            raise InvalidInput(
                f"{digest!r} is the start of several hashes ({', '.join(v.ref for v in match)}); "
                "write more digits",
                field="reference",
            )
        return match[0]


def _no_match(wanted: Reference, versions: list[ModelVersion]) -> InvalidInput | NotFound:
    name = wanted.name
    numbers = [v.number for v in versions]
    aliases = sorted({alias for v in versions for alias in v.aliases})
    shown = ", ".join(f"{name}@{a}" for a in aliases) or "no alias yet"
    if wanted.number is not None:
        near = sorted(numbers, key=lambda n: abs(n - (wanted.number or 0)))[:5]
        refs = ", ".join(f"{name}/{n}" for n in sorted(near))
        return NotFound(f"{name} has no version {wanted.number}; nearest: {refs}")
    if wanted.alias:
        near_aliases = get_close_matches(wanted.alias, aliases, n=1)
        hint = f"did you mean {name}@{near_aliases[0]}?" if near_aliases else f"there is {shown}"
        return NotFound(f"{name} has no alias {wanted.alias!r}; {hint}")
    return InvalidInput(
        f"{name!r} has {len(numbers)} versions; choose one: {name}/{numbers[-1]} ({shown})",
        field="reference",
    )


def _version(found: Any, aliases: Mapping[str, int]) -> ModelVersion:
    def tag(name: str) -> str:
        return str(found.tags.get(TAG + name, ""))

    number = int(found.version)
    return ModelVersion(
        name=found.name,
        number=number,
        kind=tag("kind"),
        content_hash=tag("content_hash"),
        weights_hash=tag("weights_hash"),
        source=found.source,
        created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        aliases=tuple(sorted(a for a, n in aliases.items() if n == number)),
        run_id=found.run_id or "",
        recipe=tag("recipe"),
        git_revision=tag("git_revision"),
        data=tag("data"),
        data_manifest=tag("data_manifest"),
        parents=tuple(p for p in tag("parents").split(",") if p),
        gate=tag("gate"),
        gate_reasons=tuple(line for line in tag("gate.reasons").split("\n") if line),
    )
