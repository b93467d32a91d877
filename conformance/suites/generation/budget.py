"""How much a run draws: numbers, never seconds, so that the same seed sends the same requests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.run.settings import Settings


@dataclass(frozen=True)
class Budget:
    """`drawn` requests of each operation and intent, `edges` boundary values of each, `episodes` of `steps` steps.

    `rows` are the batch sizes of inference. `deployed` is how many deployments episodes may have at once, `deployments`
    how many they may make. `findings` are shrunk, with at most `replays` replays and `seconds` for each run.
    """

    drawn: int
    edges: int
    episodes: int
    steps: int
    rows: tuple[int, ...]
    deployed: int = 4
    deployments: int = 1_000_000
    findings: int = 8
    replays: int = 60
    seconds: float = 6.0


_BUDGETS = {
    "quick": Budget(5, 18, 4, 30, (1, 2, 3, 51, 100)),
    "standard": Budget(30, 200, 24, 50, (1, 2, 3, 10, 50, 51, 100, 257, 1000), findings=20, replays=300, seconds=20.0),
    "thorough": Budget(
        250, 1000, 250, 60, (1, 2, 3, 10, 50, 51, 64, 65, 100, 101, 128, 129, 257, 1000, 1025, 10000),
        findings=60, replays=2000, seconds=120.0,
    ),
}  # fmt: skip
LIVE_DEPLOYMENTS = 2
"""Deployments that episodes make on a live target: each costs money there."""


def budget_of(settings: Settings) -> Budget:
    """The budget of a run. On a live target deployments are few."""
    budget = _BUDGETS[settings.budget]
    if settings.kind == "live":
        return replace(budget, deployed=1, deployments=LIVE_DEPLOYMENTS)
    return budget
