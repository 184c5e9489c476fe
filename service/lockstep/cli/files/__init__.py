"""Automations in files: read, compared, judged, written."""
