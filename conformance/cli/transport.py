"""Options of commands that send to a target: whom to trust, how to show who we are, and how fast to ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Function = Callable[..., Any]


def transport_options(function: Function) -> Function:
    """The function with these options before its own."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS: tuple[Callable[[Function], Function], ...] = (
    click.option(
        "--rate", type=click.FloatRange(0, min_open=True), default=None, metavar="N",
        help="Send no more than N requests a second.",
    ),
    click.option(
        "--ca-file", default="", metavar="FILE", help="PEM certificates to trust in place of the system's.",
    ),
    click.option(
        "--client-cert", default="", metavar="FILE", help="PEM certificate to show where the target asks for one.",
    ),
    click.option(
        "--client-key", default="", metavar="FILE", help="Its key, where that does not stand in the same file.",
    ),
)  # fmt: skip
