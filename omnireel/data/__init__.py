"""Training data: what people bring (`folder`), and what training reads (`shards`).

A sample on its way: files of a person -> `folder` checks and reads them -> `shards.write_shards`
shuffles them once, for good -> `shards.ShardReader` reads them in that order -> `decode` gives
frames.
"""
