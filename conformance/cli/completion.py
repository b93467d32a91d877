"""What a shell may complete beside commands and options: releases, suites, requirements, operations and faults."""

from __future__ import annotations

from collections.abc import Iterable

import click


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def releases(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Releases that a profile may name."""
    from conformance.spec.document import profiles

    return _beginning(profiles(), incomplete)


def suites(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Suites that a run has."""
    from conformance.run.scope import known_suites

    return _beginning(known_suites(), incomplete)


def requirements(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of requirements of the chosen release, and of the operations that they are of."""
    from conformance.spec.requirements import load

    rows = load(ctx.params.get("profile") or "2023.4").rows
    return _beginning({row.id for row in rows} | {row.operation for row in rows}, incomplete)


def faults(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Deliberate defects of the emulated instance."""
    from conformance.emulator.faults import FAULTS

    return _beginning((fault.id for fault in FAULTS), incomplete)
