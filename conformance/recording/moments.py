"""Moments in files: ISO 8601 with any offset, or seconds since 1970."""

from __future__ import annotations

import datetime
import re


def seconds_of(moment: object) -> float | None:
    """Seconds since 1970 of an ISO 8601 text or a number; None for anything else. A time without offset is UTC."""
    if isinstance(moment, int | float) and not isinstance(moment, bool):
        return float(moment)
    if not isinstance(moment, str):
        return None
    text = re.sub(r"(\.\d{6})\d+", r"\1", moment.strip())
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)).timestamp()


def text_of(seconds: float) -> str:
    """ISO 8601 in UTC with microseconds."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
