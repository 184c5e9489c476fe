"""Look after events that could not be handled."""
