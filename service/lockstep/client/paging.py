"""Lists come in pages."""

from typing import Final

PAGE: Final = 200
"""Items of a page: as many as the API gives at once."""
