"""The ``omnireel`` command. `main` puts the verbs together; each verb has a file of its own."""
