"""Whether what belongs together agrees: words, references, edits, identities, movements."""
