"""The processes of the platform: a public gateway, a worker and three model services."""
