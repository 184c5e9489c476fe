"""Look after rows that no replica could handle."""
