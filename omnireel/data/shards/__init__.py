"""Training shards: pre-shuffled Parquet files of whole samples, and the manifest that lists them.

Read in this order: `schema` (a row), `manifest` (the folder), `writer`, `reader`. Packing samples
into token sequences is the trainer's business, not the shards'.
"""

from omnireel.data.shards.manifest import Manifest, ShardFile, read_manifest
from omnireel.data.shards.reader import ShardReader
from omnireel.data.shards.schema import SCHEMA_VERSION
from omnireel.data.shards.writer import SampleSource, ShardWriterConfig, write_shards

__all__ = [
    "SCHEMA_VERSION",
    "Manifest",
    "SampleSource",
    "ShardFile",
    "ShardReader",
    "ShardWriterConfig",
    "read_manifest",
    "write_shards",
]
