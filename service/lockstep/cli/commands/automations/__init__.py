"""List, show and delete automations."""
