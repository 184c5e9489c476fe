"""List and show automations."""
