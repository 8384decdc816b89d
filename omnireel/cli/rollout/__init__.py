"""Putting a pinned model into service, watching it answer, and taking it back."""
