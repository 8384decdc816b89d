"""What is stored, for whom, and how long: nothing piles up.

1. ``policy.py``: how long each kind of object stays and how much a tenant may hold.
2. ``records.py``: uploads and quotas in SQL. ``keys.py``: whose an object is, by its key.
3. ``collector.py``: removes what nobody needs, beside running jobs; ``services/worker`` runs it.
4. ``usage.py`` and ``cli.py``: ``omnireel storage``.
"""
