"""Options that several commands take, and what a shell completes after them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

Function = Callable[..., Any]


_TLS: tuple[Callable[[Function], Function], ...] = (
    click.option(
        "--ca-file", default="", metavar="FILE", help="PEM certificates to trust instead of the system's.",
    ),
    click.option(
        "--client-cert", default="", metavar="FILE", help="PEM client certificate, if the target asks for one.",
    ),
    click.option(
        "--client-key", default="", metavar="FILE", help="The key of --client-cert, if it is not in the same file.",
    ),
)  # fmt: skip

_TRANSPORT: tuple[Callable[[Function], Function], ...] = (
    click.option(
        "--rate", type=click.FloatRange(0, min_open=True), default=None, metavar="N",
        help="Send no more than N requests a second.",
    ),
    *_TLS,
)  # fmt: skip


_SAFETY: tuple[Callable[[Function], Function], ...] = (
    click.option(
        "--effects", type=click.Choice(["read", "own", "full"]), default=None, callback=lambda *given: given[2] or "",
        help="Only read; change only what the run created (the default on a live target); or anything.",
    ),
    click.option(
        "--allow-host", "allow_hosts", multiple=True, metavar="HOST",
        help="Another host of yours, or http://HOST, that may receive our token and inference requests; repeatable.",
    ),
    click.option(
        "--max-deployments", type=click.IntRange(1), default=None,
        help="Deployments of the run at the same time. [default: 8 on a live target]",
    ),
    click.option(
        "--max-minutes", type=click.FloatRange(0, min_open=True), default=None, metavar="N",
        help="Minutes that deployments run, in total. [default: 120 on a live target]",
    ),
    click.option(
        "--journal", default="", metavar="DIR",
        help="Keep a log here of what the run creates. [default: the user's state folder, on a live target]",
    ),
)  # fmt: skip


def transport_options(function: Function) -> Function:
    """Add the options of a command that sends requests: certificates, and how fast it asks."""
    return _with(_TRANSPORT, function)


def tls_options(function: Function) -> Function:
    """Add the options of certificates alone."""
    return _with(_TLS, function)


def safety_options(function: Function) -> Function:
    """Add the options of a command that creates things: what it may touch, how much, and where that is logged."""
    return _with(_SAFETY, function)


def profile_option(help_text: str) -> Callable[[Function], Function]:
    """The option `--profile`, which names a release."""
    return click.option(
        "--profile", default="2023.4", show_default=True, metavar="RELEASE", help=help_text,
        shell_complete=complete_releases,
    )  # fmt: skip


def _with(options: tuple[Callable[[Function], Function], ...], function: Function) -> Function:
    for option in reversed(options):
        function = option(function)
    return function


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def complete_releases(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Releases that a profile may name."""
    from conformance.spec.document import profiles

    return _beginning(profiles(), incomplete)


def complete_suites(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Suites that a run has."""
    from conformance.run.scope import known_suites

    return _beginning(known_suites(), incomplete)


def complete_requirements(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of requirements of the chosen release, and of the operations that they are of."""
    from conformance.spec.requirements import load

    rows = load(ctx.params.get("profile") or "2023.4").rows
    return _beginning({row.id for row in rows} | {row.operation for row in rows}, incomplete)


def complete_faults(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Deliberate defects of the emulated instance."""
    from conformance.emulator.faults import FAULTS

    return _beginning((fault.id for fault in FAULTS), incomplete)
