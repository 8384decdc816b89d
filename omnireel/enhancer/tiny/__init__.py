"""The shipped enhancer: a multimodal language model of about a million parameters.

Read in this order: ``vocabulary`` (tokens), ``dialogue`` (prompt and media <-> tokens),
``modeling`` (the network), ``facts`` (what must not get lost), ``backend`` (all of it joined),
``spelling`` (typos), ``sft`` (training examples).
"""
