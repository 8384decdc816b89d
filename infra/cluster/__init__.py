"""A real Kubernetes on one Linux machine, for tests; nothing of the product imports it."""
