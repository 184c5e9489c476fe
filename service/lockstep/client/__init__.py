"""The control API of a running engine, from outside."""
