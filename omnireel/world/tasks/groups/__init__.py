"""One file per group of the capability table; each has a ``BUILDERS`` table."""
