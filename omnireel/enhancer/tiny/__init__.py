"""The shipped enhancer: a multimodal language model of about a million parameters.

Read in this order: ``vocabulary`` (tokens), ``dialogue`` (prompt and media <-> tokens),
``modeling`` (the network), ``facts`` and ``checks`` (what must not go wrong), ``backend`` (all of
it joined), ``spelling`` (typos), ``sft`` (training examples).
"""
