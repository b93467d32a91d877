"""Parameters that not every release has an item for: what a release lacks is skipped, and the item says so."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def each(names: Iterable[object]) -> list[object]:
    """Parameters of operations or requirements, by their names, each marked as being about it."""
    return [pytest.param(name, marks=pytest.mark.about(str(name))) for name in names]
