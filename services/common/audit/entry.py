"""One line of the audit log."""

from __future__ import annotations

from dataclasses import dataclass

NOBODY = "-"
"""Tenant and subject of a call whose caller is not known."""

OK = "OK"


@dataclass(frozen=True)
class AuditEntry:
    """``outcome`` is ``OK`` or the reason of an error; ``time`` is seconds since the epoch."""

    time: float
    tenant: str
    subject: str
    action: str
    resource: str = ""
    outcome: str = OK
    request_id: str = ""
    address: str = ""


def printable(text: str) -> str:
    """``text`` with every character that could move a cursor or begin a line written as its escape:
    strangers choose the names that they ask for."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
