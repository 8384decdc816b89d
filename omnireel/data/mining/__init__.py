"""Finding what belongs together: files that show the same subject, and are no copies."""
