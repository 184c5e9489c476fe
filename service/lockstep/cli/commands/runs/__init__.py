"""List, show and watch runs."""
