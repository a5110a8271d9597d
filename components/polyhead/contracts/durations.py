"""Lengths of time as a configuration says them: 90s, 20min, 12h, 30d."""

from __future__ import annotations

import re

UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}

DURATION = re.compile(rf"[0-9]+(?:\.[0-9]+)?\s?(?:{'|'.join(UNITS)})")


def seconds(duration: str) -> float:
    """A length of time, as `DURATION` has it, in seconds."""
    number, unit = re.findall(r"[0-9.]+|[a-z]+", duration)
    return float(number) * UNITS[unit]
