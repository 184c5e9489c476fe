"""The benchmark: whole engine, real servers, on this machine."""
