"""Processes that a test interrupts as a person at a terminal would."""

from __future__ import annotations

HEED_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""First statement of such a process: under a shell job in the background SIGINT is ignored, and
children inherit that."""
