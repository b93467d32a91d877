"""Options of commands that make something at a target: what they may touch and cost, and where it is written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Function = Callable[..., Any]


def safety_options(function: Function) -> Function:
    """The function with these options before its own."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS: tuple[Callable[[Function], Function], ...] = (
    click.option(
        "--effects", type=click.Choice(["read", "own", "full"]), default=None, callback=lambda *given: given[2] or "",
        help="Only read; touch only what the run made (the default on a live target); or anything.",
    ),
    click.option(
        "--allow-host", "allow_hosts", multiple=True, metavar="HOST",
        help="Another host of yours, or http://HOST, that inference and our token may go to; repeatable.",
    ),
    click.option(
        "--max-deployments", type=click.IntRange(1), default=None,
        help="Deployments of the run at once. [default: 8 on a live target]",
    ),
    click.option(
        "--max-minutes", type=click.FloatRange(0, min_open=True), default=None, metavar="N",
        help="Minutes that deployments run, added up. [default: 120 on a live target]",
    ),
    click.option(
        "--journal", default="", metavar="DIR",
        help="Write down here what the run makes. [default: the user's state folder, on a live target]",
    ),
)  # fmt: skip
