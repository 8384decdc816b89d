"""One file and one class per training objective."""
