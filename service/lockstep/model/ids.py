"""Ids of runs, automations and artifacts: UUIDs whose order is the order of their making."""

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """Make a UUID of version 7: 48 bits of Unix time in ms, then random bits.

    Source: RFC 9562, section 5.7.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
