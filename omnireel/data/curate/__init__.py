"""The data engine: a folder or bucket of raw media -> training shards, every verdict on record.

`engine` tells the steps in their order; the checks themselves are `omnireel.data.checks`.
"""
