"""One model component as a folder: weights, configuration, card, human-readable README.

::

    folder/
      model.safetensors    tensors (bf16 by default); model-00001-of-00002.safetensors, ... when
                           one file would exceed the size limit
      config.json          what the component's class needs to build itself
      card.json            facts about the training, and the SHA-256 of every other data file
      README.md            the card, for people
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from omnireel.errors import IntegrityError, InvalidInput, NotFound
from omnireel.registry.card import card_markdown
from omnireel.registry.folders import atomic_folder, sha256_file
from omnireel.shipped import located

FORMAT_VERSION = 1
MAX_FILE_BYTES = 2**24 - 2**16
"""Limit of one weight file, so that every file stays welcome in a git repository."""
_WEIGHT_TYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int64)
_MISFITS = (
    InvalidInput, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class LoadedComponent:
    """A component read from disk: its ``folder``, ``kind``, configuration, tensors and card."""

    folder: Path
    kind: str
    config: dict[str, Any]
    state_dict: dict[str, torch.Tensor]
    card: dict[str, Any]

    @contextmanager
    def building(self) -> Iterator[dict[str, Any]]:
        """The configuration, during a block that builds something from it.

        Raises:
            IntegrityError: nothing can be built: a field is missing, unknown or out of range.

        """
        try:
            yield self.config
        except _MISFITS as error:
            raise IntegrityError(
                f"{self.folder / 'config.json'} does not fit this release: {error!r}; restore the "
                "file or export the component again"
            ) from error


def save_component(
    folder: Path | str,
    *,
    kind: str,
    config: Mapping[str, Any],
    state_dict: Mapping[str, torch.Tensor],
    card: Mapping[str, Any],
    dtype: torch.dtype | None = torch.bfloat16,
    max_file_bytes: int = MAX_FILE_BYTES,
) -> Path:
    """Write a component folder atomically; an existing component is replaced as a whole.

    Args:
        folder: destination.
        kind: what it is ("vae", "generator", "upscaler", "enhancer").
        config: JSON data.
        state_dict: tensors by name; floating ones are stored as ``dtype`` (None: as they are).
        card: JSON facts for the model card (see :mod:`omnireel.registry.card`).
        dtype: storage type of floating-point tensors.
        max_file_bytes: weight files are split so that none is longer (one tensor may be).

    Raises:
        InvalidInput: no tensors, one that is not finite or of a type that no model takes, or
            ``folder`` holds something else than a component.
        ResourceExhausted: the disk is full (an older component stays whole).

    """
    check_place(Path(folder))
    tensors = _storage_tensors(state_dict, dtype)
    with atomic_folder(Path(folder)) as work:
        names = _write_shards(work, tensors, max_file_bytes)
        _write_json(work / "config.json", dict(config))
        names.append("config.json")
        full_card = {
            **card,
            "format_version": FORMAT_VERSION,
            "kind": kind,
            "num_parameters": sum(t.numel() for t in tensors.values() if t.is_floating_point()),
            "weight_bytes": sum((work / n).stat().st_size for n in names if n.endswith("tensors")),
            "storage_dtype": "as trained" if dtype is None else str(dtype).removeprefix("torch."),
            "sha256": {name: sha256_file(work / name) for name in names},
        }
        _write_json(work / "card.json", full_card)
        (work / "README.md").write_text(card_markdown(full_card), encoding="utf-8")
    return Path(folder)


def load_component(
    folder: Path | str,
    *,
    kind: str | None = None,
    dtype: torch.dtype | None = torch.float32,
    device: str | torch.device = "cpu",
) -> LoadedComponent:
    """Read a component after checking every recorded hash.

    Args:
        folder: what :func:`save_component` wrote; ``omnireel/weights/..`` from any directory.
        kind: refuse another kind than this one.
        dtype: floating-point tensors are given in this type (None: as stored).
        device: where the tensors go.

    Raises:
        NotFound: the folder or one of its files is missing.
        IntegrityError: a file does not match its hash, or is not readable, or a tensor is not
            finite or of a type that no model takes.
        InvalidInput: it is another kind of component.

    """
    folder = located(Path(folder))
    card = verify(folder)
    if kind is not None and card["kind"] != kind:
        raise InvalidInput(
            f"{folder} holds a {card['kind']!r} component where a {kind!r} is needed; "
            "point to the right folder",
            field="folder",
        )
    tensors: dict[str, torch.Tensor] = {}
    for name in card["sha256"]:
        if name.endswith(".safetensors"):
            try:
                tensors.update(load_file(folder / name, device=str(device)))
            except SafetensorError as error:
                raise IntegrityError(f"{folder / name} is not readable: {error}") from error
    for name, tensor in tensors.items():
        if fault := _fault(tensor):
            raise IntegrityError(f"tensor {name} in {folder} {fault}; export the component again")
    if dtype is not None:
        tensors = {n: t.to(dtype) if t.is_floating_point() else t for n, t in tensors.items()}
    config = _read_json(folder / "config.json")
    return LoadedComponent(folder, card["kind"], config, tensors, card)


def check_place(folder: Path) -> None:
    """Refuse a place for a component where something else would be lost.

    Raises:
        InvalidInput: there is a file, or a folder with something else than a component in it.

    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not is_component(folder)):
        raise InvalidInput(
            f"{folder} exists and is not a component folder; choose another place", field="out"
        )


def is_component(folder: Path) -> bool:
    """Whether ``folder`` has the card of a component."""
    return (folder / "card.json").is_file()


def verify(folder: Path | str) -> dict[str, Any]:
    """Check every file of a component against the hashes in its card, and return the card.

    Raises:
        NotFound: the folder, its card or a file that the card lists is missing.
        IntegrityError: a file differs from its recorded hash, or the card or the configuration is
            damaged.

    """
    folder = located(Path(folder))
    if not is_component(folder):
        raise NotFound(
            f"no model component in {folder} (card.json is missing); train one with "
            "'omnireel train <recipe>' and 'omnireel train export RUN FOLDER', or point to the "
            "shipped weights"
        )
    card = _read_json(folder / "card.json")
    try:
        hashes, found_kind = dict(card["sha256"].items()), str(card["kind"])
    except (KeyError, AttributeError) as error:
        raise IntegrityError(f"{folder / 'card.json'} is damaged: {error!r}") from error
    if card.get("format_version") != FORMAT_VERSION:
        raise IntegrityError(
            f"{folder} has format version {card.get('format_version')!r}; this release reads "
            f"{FORMAT_VERSION}"
        )
    if "config.json" not in hashes or not any(n.endswith(".safetensors") for n in hashes):
        raise IntegrityError(f"{folder / 'card.json'} lists no hash for the weights or config")
    for name, recorded in hashes.items():
        if Path(name).name != name:
            raise IntegrityError(f"{folder / 'card.json'} names a file outside its folder: {name}")
        if not (folder / name).is_file():
            raise NotFound(f"{folder / name} is missing from the {found_kind} component")
        if sha256_file(folder / name) != recorded:
            raise IntegrityError(
                f"{folder / name} does not match the SHA-256 in card.json (tampered or truncated); "
                "restore the file or export the component again"
            )
    _read_json(folder / "config.json")
    return card


def _storage_tensors(
    state_dict: Mapping[str, torch.Tensor], dtype: torch.dtype | None
) -> dict[str, torch.Tensor]:
    if not state_dict:
        raise InvalidInput("a component needs at least one tensor", field="state_dict")
    tensors = {}
    for name, tensor in sorted(state_dict.items()):
        plain = tensor.detach().to("cpu")
        if plain.is_floating_point():
            plain = plain.to(dtype or plain.dtype)
        if fault := _fault(plain):
            raise InvalidInput(
                f"tensor {name} {fault}; do not ship this checkpoint", field=f"state_dict.{name}"
            )
        # A copy of its own: safetensors refuses tensors that share memory (tied weights).
        tensors[name] = plain.contiguous().clone()
    return tensors


def _fault(tensor: torch.Tensor) -> str:
    """What is wrong with a stored tensor, if anything."""
    if tensor.dtype not in _WEIGHT_TYPES:
        return f"is of type {str(tensor.dtype).removeprefix('torch.')}, which no model takes"
    if tensor.dtype == torch.int64 or not tensor.numel():
        return ""
    # The extremes tell of NaN and infinity in one pass over a large model, without copies.
    finite = all(bool(extreme.isfinite()) for extreme in torch.aminmax(tensor))
    return "" if finite else "holds values that are not finite"


def _write_shards(work: Path, tensors: Mapping[str, torch.Tensor], limit: int) -> list[str]:
    shards: list[dict[str, torch.Tensor]] = [{}]
    used = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        if shards[-1] and used + size > limit:
            shards.append({})
            used = 0
        shards[-1][name] = tensor
        used += size
    count = len(shards)
    names = [
        "model.safetensors" if count == 1 else f"model-{i + 1:05d}-of-{count:05d}.safetensors"
        for i in range(count)
    ]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, work / name)
        # safetensors writes for the owner alone; a server runs under another user than a trainer.
        (work / name).chmod(0o644)
    return names


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} is damaged: {error!r}") from error
    if not isinstance(data, dict):
        raise IntegrityError(f"{path} is damaged: it is not a JSON object")
    return data


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
