"""How a generator's samples become batches, and where they are encoded."""

from __future__ import annotations

from typing import Literal

from omnireel.errors import InvalidInput
from omnireel.generate.conditions import source_ids
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import TransformerConfig
from omnireel.recipes.planning.workload import relative_cost
from omnireel.train import FeedConfig
from omnireel.train.balance import PackedBatches, PackingConfig, SampleSource
from omnireel.train.latent_samples import TextTokens

Batching = Literal["formats", "packed"]
Encoding = Literal["cache", "online"]


def check_batching(batching: Batching, encoding: Encoding) -> None:
    """Refuse what does not exist, and packing of samples that are not known beforehand.

    Raises:
        InvalidInput: naming the field.

    """
    if batching not in ("formats", "packed"):
        raise InvalidInput("batching must be 'formats' or 'packed'", field="batching")
    if encoding not in ("cache", "online"):
        raise InvalidInput("encoding must be 'cache' or 'online'", field="encoding")
    if encoding == "online" and batching == "packed":
        raise InvalidInput(
            "packing needs to know all lengths beforehand; with encoding=online leave batching at "
            "'formats'",
            field="batching",
        )


def check_loaders(encoding: Encoding, feed: FeedConfig) -> None:
    """Refuse to encode in the process that trains.

    Raises:
        InvalidInput: ``feed`` has no loader processes.

    """
    if encoding == "online" and not (feed.processes and feed.workers):
        raise InvalidInput(
            "encoding=online needs loader processes: set trainer.feed.processes=true and "
            "trainer.feed.workers to the cores that may encode",
            field="trainer.feed.processes",
        )


def check_degrees(batching: Batching, packing: PackingConfig, heads: int) -> None:
    """Refuse batches that ranks share differently where none are packed, or heads cannot be shared.

    Raises:
        InvalidInput: naming the field.

    """
    if packing.max_degree > 1 and batching != "packed":
        raise InvalidInput(
            "only packed batches are shared by different numbers of ranks: set batching=packed, or "
            "leave packing.max_degree at 1 (trainer.parallel.ulysses shares any batch)",
            field="packing.max_degree",
        )
    if heads % packing.max_degree:
        raise InvalidInput(
            f"{heads} heads cannot be shared by {packing.max_degree} ranks; packing.max_degree "
            "must divide model.heads",
            field="packing.max_degree",
        )


def text_tokens(tokenizer: Tokenizer) -> TextTokens:
    """How many tokens prompts have for this tokenizer."""
    return lambda prompt: len(tokenizer.encode(prompt, source_ids(prompt)).ids)


def packed_batches(
    samples: SampleSource, network: TransformerConfig, packing: PackingConfig, parts: int
) -> PackedBatches:
    """Samples of all formats in packs; the ``parts`` batches of a step take equally long."""
    cost = packing.cost or relative_cost(network.width, network.depth, network.mlp_ratio)
    return PackedBatches(samples, parts=parts, cost=cost, config=packing)
