"""The catalogue of kinds of change (specs/drift-kinds.toml): a stable id, a level, a sentence and its mirrors."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from conformance.data import SPECS


@dataclass(frozen=True)
class Kind:
    """One kind of change. `opposite` undoes it; `other_side` is its counterpart of responses or requests.

    `no_other_side` is the reason where there is none, and `contested` why reputable tools disagree, both else empty.
    """

    id: str
    breaking: bool
    sentence: str
    opposite: str
    other_side: str = ""
    no_other_side: str = ""
    contested: str = ""

    @property
    def direction(self) -> str | None:
        """`request`, `response`, or None for what belongs to neither."""
        side = self.id.partition("-")[0]
        return side if side in ("request", "response") else None


def _read() -> dict[str, Kind]:
    rows = tomllib.loads((SPECS / "drift-kinds.toml").read_text(encoding="utf-8"))
    return {
        name: Kind(
            id=name,
            breaking=row["level"] == "breaking",
            sentence=row["sentence"],
            opposite=row["opposite"],
            other_side=row.get("other_side", ""),
            no_other_side=row.get("no_other_side", ""),
            contested=row.get("contested", ""),
        )
        for name, row in rows.items()
    }


KINDS = _read()
