"""Service-level objectives: rows of a TOML file, each a measure of the load and what it is held to."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.errors import UsageError
from conformance.spec.requirements import nearest

_ROW = re.compile(r"\s*(?P<measure>[a-z0-9.]+)\s*(?P<sign><=|>=|<|>|=)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>\S*)\s*")

_TIMES, _COUNTS = {"ms": 0.001, "s": 1.0}, {"": 1.0}
_UNITS: dict[str, dict[str, float]] = {
    **dict.fromkeys(("p50", "p90", "p95", "p99", "p99.9", "max", "gap"), _TIMES),
    **dict.fromkeys(("lost", "wrong", "stale", "refused", "gateway", "mixed", "unsent"), _COUNTS),
    "success": {"%": 1.0},
    "rate": {"/s": 1.0},
}
"""What can be measured, and the units that each can be written in."""

_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda measured, limit: measured < limit,
    "<=": lambda measured, limit: measured <= limit,
    "=": lambda measured, limit: measured == limit,
    ">=": lambda measured, limit: measured >= limit,
    ">": lambda measured, limit: measured > limit,
}


@dataclass(frozen=True)
class Objective:
    """One row: `measure` `sign` `limit`, the limit in seconds where it is a time."""

    text: str
    measure: str
    sign: str
    limit: float

    @classmethod
    def read(cls, text: str) -> Objective:
        """The objective that a text is. Raises ValueError with what is wrong about it and what to write."""
        found = _ROW.fullmatch(text)
        if found is None:
            raise ValueError("it is not MEASURE SIGN NUMBER UNIT, as in 'p99 < 250 ms'")
        measure, unit = found["measure"], found["unit"]
        if measure not in _UNITS:
            hint = nearest(measure, _UNITS)
            raise ValueError(f"nothing called '{measure}' is measured{hint}; there are {', '.join(_UNITS)}")
        if unit not in _UNITS[measure]:
            right = " or ".join(one or "no unit" for one in _UNITS[measure])
            raise ValueError(f"{measure} has {right}, not '{unit}'" if unit else f"{measure} needs its unit, {right}")
        return cls(" ".join(text.split()), measure, found["sign"], float(found["number"]) * _UNITS[measure][unit])

    def judged(self, measures: Mapping[str, float | None]) -> dict[str, Any]:
        """The row for the result: the objective, what was measured, and whether it is held."""
        measured = measures[self.measure]
        held = measured is not None and _SIGNS[self.sign](measured, self.limit)
        return {"objective": self.text, "measured": self._shown(measured), "held": held}

    def _shown(self, measured: float | None) -> str:
        if measured is None:
            return "nothing"
        units = _UNITS[self.measure]
        if units is _TIMES:
            return f"{measured * 1000:.0f} ms" if measured < 10 else f"{measured:.1f} s"
        return f"{measured:.6g}" + "".join(f" {unit}" for unit in units if unit)


def read_objectives(path: Path) -> tuple[Objective, ...]:
    """The objectives of a file. Raises UsageError with what is wrong, where, and what to write."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The objectives file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The objectives file {path} is not TOML: {error}.") from None
    rows, others = raw.get("objectives"), [name for name in raw if name != "objectives"]
    if not isinstance(rows, list) or not rows or others:
        what = f"it holds '{others[0]}'" if others else "it holds no list of objectives"
        raise UsageError(
            f"The objectives file {path.name} cannot be used: {what}. "
            'Write objectives = ["p99 < 250 ms", "lost = 0"] and nothing else.'
        )
    objectives = []
    for number, text in enumerate(rows, 1):
        try:
            objectives.append(Objective.read(text if isinstance(text, str) else repr(text)))
        except ValueError as error:
            raise UsageError(f"The objectives file {path.name}, objective {number}, '{text}': {error}.") from None
    return tuple(objectives)
