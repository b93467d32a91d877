from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.checks import Rules
from conformance.data import FIXTURES
from conformance.recording.judgement import Tally, judge_traffic
from conformance.recording.traffic import read

RECORDINGS = sorted((FIXTURES / "recordings").rglob("*.json"))


@pytest.fixture(scope="session")
def rules() -> Rules:
    return Rules.of()


@pytest.fixture
def judged(tmp_path: Path, rules: Rules) -> Any:
    """Judges raw recordings, each a file of its own in the order given; the tally."""

    def judge(*raws: dict[str, Any]) -> Tally:
        for number, raw in enumerate(raws):
            (tmp_path / f"{number:03}.json").write_text(json.dumps(raw), encoding="utf-8")
        return judge_traffic(read([tmp_path], rules.document), rules)

    return judge


def raw_recording(name: str) -> dict[str, Any]:
    """One of the package's recordings as its file holds it: `pipelines.deploy/by-requests`."""
    raw: dict[str, Any] = json.loads((FIXTURES / "recordings" / f"{name}.json").read_text(encoding="utf-8"))
    return raw
