"""The HTTP door: the same application objects as behind gRPC, in two faces.

1. ``app.py`` joins everything into one ASGI application; ``server.py`` runs it in this process.
2. ``api.py`` is our own schema, the JSON mapping of the protos (``protojson.py``), with
   ``media.py`` for bytes in and out and ``events.py`` for progress.
3. ``compat/`` is ``/v1/videos`` as OpenAI's clients speak it.
4. ``caller.py`` says who calls; ``errors.py`` says what went wrong; ``bodies.py``, ``origins.py``
   and ``connections.py`` bound what a stranger can take or make others do.
5. ``openapi.py`` describes it all.
"""
