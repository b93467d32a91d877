"""Each request of a run in a line on standard error (`-v`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from conformance.api.gateway import writer_of
from conformance.model import Exchange
from conformance.redaction import redact_text


def said_aloud(worker: str = "") -> Callable[[Exchange], None]:
    """Writes a line for each exchange it is given. pytest takes what items print: the line goes round it."""
    descriptor = os.dup(2)

    def say(exchange: Exchange) -> None:
        with suppress(OSError):  # whoever read it has gone
            os.write(descriptor, f"{line_of(exchange, worker)}\n".encode("utf-8", "backslashreplace"))

    return say


def line_of(exchange: Exchange, worker: str = "") -> str:
    """When, what was asked, what came and how long that took, and the request's id."""
    at = time.strftime("%H:%M:%S", time.localtime(exchange.started))
    took = f"{1000 * (exchange.ended - exchange.started):.0f} ms" if exchange.ended and exchange.started else ""
    writer = writer_of(exchange.response, exchange.operation) if exchange.response else ""
    came = f"{exchange.status}{f' by {writer}' if writer else ''}" if exchange.response else exchange.failure
    number = exchange.request.headers.get("x-request-id", "")
    words = (at, worker, exchange.request.method, exchange.request.path, came, took, number)
    text = redact_text(" ".join(word for word in words if word))
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
