"""What every service shares: server, health, errors on the wire, logs, settings, conversion."""
