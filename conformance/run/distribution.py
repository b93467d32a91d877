"""How a run in several processes is shared out: what shares the lifecycle's deployments stays in one process."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from pathlib import Path

from xdist.scheduler import LoadGroupScheduling

_FOLDER = Path(__file__).resolve().parent.parent / "suites"
_SHARED = frozenset({"deployments", "running", "served"})
"""Fixtures that are, or lead to, the deployments of one process."""

_DEPLOYING = _SHARED | {"resources"}
"""Fixtures that deploy. On a live target one process alone does, so that a ceiling on deployments is one process's."""


class Distribution(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """xdist's scheduling by groups, where ours are read off the items.

    xdist itself carries a group inside the item's id, which pytest 9.2 no longer lets it change: marks are lost.
    """

    live = False

    def _split_scope(self, nodeid: str) -> str:
        together = shares_deployments(nodeid, self.config.rootpath, live=self.live)
        return "deployments" if together else super()._split_scope(nodeid)


def shares_deployments(nodeid: str, root: Path, *, live: bool) -> bool:
    """Whether an item of ours, by its id below `root`, uses deployments that others use; if `live`, or makes any."""
    path, _, name = nodeid.partition("::")
    file = (root / path).resolve()
    fixtures = _DEPLOYING if live else _SHARED
    return file.parent == _FOLDER and bool(fixtures & _parameters(file.stem, name.partition("[")[0]))


@cache
def _parameters(module: str, function: str) -> frozenset[str]:
    found = getattr(import_module(f"conformance.suites.{module}"), function, None)
    return frozenset(inspect.signature(found).parameters) if callable(found) else frozenset()
