"""Commands write no logs: a command says itself what went wrong."""

import logging

from lockstep import without

# Where rich is installed, structlog imports what draws tracebacks with it, which takes longer than
# all else of it; no log of ours has one. So this module is imported before what logs.
with without("rich"):
    import structlog


def silence() -> None:
    """Write no logs from now on."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.basicConfig(level=logging.CRITICAL, force=True)
