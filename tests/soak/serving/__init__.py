"""The whole serving stack under random kills: ``make soak JOBS=1000``.

1. ``stack.py`` starts gateway, two workers, three model services (test engines), the database and
   the broker, and starts again whatever was killed, at the same address.
2. ``clients.py`` submits jobs with request ids, repeats every call that fails, and keeps what a
   client sees: one operation for each request, one result, its bytes.
3. ``kills.py`` kills at random, and cuts database and broker off.
4. ``audit.py`` asks the database afterwards: one final event for each job, nothing besides.
5. ``__main__.py`` prints the tables; the last line has the totals.
"""
