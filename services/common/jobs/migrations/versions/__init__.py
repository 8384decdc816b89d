"""One file per schema change, in the order of their revision numbers."""
