"""Credentials turn up in no file and no output, however a command fails : all the ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.canary import WAYS, Stage, leaks, stage_in


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    yield from stage_in(tmp_path)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_credentials_turn_up_nowhere(stage: Stage, way: Callable[[Stage], None]) -> None:
    way(stage)
    assert any(path.stat().st_size for path in stage.folder.rglob("said*")), "a command has said something"
    assert leaks(stage.folder) == []
