"""The shipped enhancer: a multimodal language model of about a million parameters.

Read in this order: ``vocabulary`` (tokens), ``dialogue`` (prompt and media <-> tokens),
``modeling`` (the network), ``writing`` (its continuations), ``facts`` and ``checks`` (what must not
go wrong), ``restraint`` (what is not written in the first place), ``backend`` (all of it joined),
``spelling`` (typos), ``sft`` (training examples).
"""
