"""The worlds that cases run in: real servers, whole engines, a clock that is moved."""
