"""Webhook subscriptions that could not be imported."""
