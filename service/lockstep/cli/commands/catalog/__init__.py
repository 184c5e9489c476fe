"""List the types that the engine knows, and filters."""
