"""List and show the types that the engine knows."""
