"""Who did what, to which resource, from where, and how it ended: lines that are only ever added.

``entry.py``: one line. ``log.py``: the table, written in batches. ``cli.py``: ``omnireel audit``.
"""

from __future__ import annotations

from services.common.audit.entry import NOBODY, AuditEntry, printable
from services.common.audit.log import AuditLog

__all__ = ["NOBODY", "AuditEntry", "AuditLog", "printable"]
