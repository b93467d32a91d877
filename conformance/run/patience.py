"""How long a run waits for what a deployment should come to."""

from __future__ import annotations

_SHORT_SECONDS = 5.0


class Patience:
    """The longest wait, in seconds, until it was once waited in vain: then waits for the same end are short.

    A target whose deployments never come to run, or never end, would otherwise cost a run one whole wait for each.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._vain: set[str] = set()

    def seconds(self, end: str) -> float:
        """How long to wait for that end (`Running`, `404`, `routed`)."""
        return min(self._seconds, _SHORT_SECONDS) if end in self._vain else self._seconds

    def gave_up(self, end: str) -> bool:
        """Whether a whole wait for that end was in vain."""
        return end in self._vain

    def ran_out(self, end: str) -> None:
        """Remember that a whole wait for that end was in vain."""
        self._vain.add(end)
