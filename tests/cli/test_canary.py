"""Credentials turn up in no file and no output, however a command fails (tests/soak has all the ways)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.canary import PASSWORD, QUICK, Stage, leaks, stage_in


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    yield from stage_in(tmp_path)


@pytest.mark.parametrize("way", QUICK, ids=lambda way: way.__name__)
def test_credentials_turn_up_nowhere(stage: Stage, way: Callable[[Stage], None]) -> None:
    way(stage)
    assert any(path.stat().st_size for path in stage.folder.rglob("said*")), "a command has said something"
    assert leaks(stage.folder) == []


def test_a_leak_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"password={PASSWORD}", encoding="utf-8")
    (tmp_path / "b").write_text("Bearer eyJhbGciOiJSUzI1NiIsInR5cCI.eyJzdWIiOiJ4eHh4eHh4eHh4eHgifQ.x", encoding="utf-8")
    assert len({found.partition(":")[0] for found in leaks(tmp_path)}) == 2
