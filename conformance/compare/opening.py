"""The two sides of a comparison opened: a live instance, or an emulated one that is started for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from conformance.compare.side import Side
from conformance.run.settings import EMULATED, Settings
from conformance.targets.emulated import emulator_process

_OLD = "CONFORMANCE_OLD_"
_EMULATED_USER = {"CONFORMANCE_USERNAME": "conformance", "CONFORMANCE_PASSWORD": "conformance"}


def environment(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a side: for the old one, `CONFORMANCE_OLD_…` in place of `CONFORMANCE_…` where any is set."""
    olds = {variable: value for variable, value in environ.items() if variable.startswith(_OLD)}
    if name != "old" or not olds:
        return dict(environ)
    others = {variable: value for variable, value in environ.items() if not variable.startswith("CONFORMANCE_")}
    return others | {f"CONFORMANCE_{variable.removeprefix(_OLD)}": value for variable, value in olds.items()}


@contextmanager
def opened(name: str, target: str, settings: Settings, environ: Mapping[str, str]) -> Iterator[Side]:
    """A side at `target`. An emulated instance is held to the limits of a live one, and ends with the block."""
    if target != EMULATED:
        yield Side(name, replace(settings, target=target), environment(name, environ))
        return
    others = {variable: value for variable, value in environ.items() if not variable.startswith("CONFORMANCE_")}
    with emulator_process(["--profile", settings.profile], others) as url:
        yield Side(name, replace(settings, target=url), others | _EMULATED_USER)
