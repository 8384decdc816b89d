"""The embedded stack: every service as its own process on this machine (``omnireel up``).

``config.py`` says what to run, ``up.py`` starts it and waits until it serves, ``down.py`` stops
it, ``status.py`` looks at it, ``supervisor.py`` restarts what dies. ``state.py`` is the file that
joins them, ``stack.json`` in the home folder; ``process.py`` knows processes, and never touches one
that is not ours.
"""
