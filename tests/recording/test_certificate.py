"""The tutorial's requests, sent to the emulated instance in order: every recorded behaviour is reproduced.

The certificate of all recordings, and of all releases, is tests/soak/test_certificate.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.checks import Rules, judge
from conformance.data import FIXTURES
from conformance.recording import folder
from conformance.recording.judgement import in_order
from conformance.recording.recording import Recording
from conformance.recording.traffic import ordered
from conformance.spec.requirements import load as load_rows
from tests.oracles.certificate import PUBLISHED, candidates, certify, explanations, name_of, unexplained

SHARED = Path(__file__).resolve().parents[3] / "shared" / "models" / "ccfraud.onnx"
MODELS = [FIXTURES / "models" / "fraud.onnx", SHARED]


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_every_behaviour_of_the_tutorial_is_reproduced(model: Path, tmp_path: Path) -> None:
    if not model.is_file():
        pytest.skip("the tutorial's model is not here")
    rows = certify([FIXTURES / "recordings"], model.read_bytes(), [], tmp_path, releases=("2023.4",))
    assert [
        (name_of(row.recording), row.differences, row.unasked) for row in rows if row.differences or row.unasked
    ] == []
    assert len(rows) == 12


def test_a_difference_would_show_and_only_its_own_entry_explains_it(tmp_path: Path) -> None:
    (wrong,) = [one for one in folder.read(FIXTURES / "recordings", Rules.of().document) if "by-curl-again" in one.name]
    answer = wrong.exchange.response
    assert answer is not None
    changed = replace(
        wrong, session="", exchange=replace(wrong.exchange, response=replace(answer, body=b'{"id":"14"}'))
    )
    folder.write(tmp_path / "wrong", [changed])
    entries = explanations(PUBLISHED / "explained.toml")
    (row,) = certify([tmp_path / "wrong"], MODELS[0].read_bytes(), entries, tmp_path / "journal", releases=("2023.4",))
    assert [(told.place, told.kind) for told in row.differences] == [("body.id", "type")]
    assert unexplained(row, entries) == list(row.differences)


def test_a_recordings_releases_reach_from_what_it_dates_to_the_one_after_its_commit() -> None:
    assert candidates("2022.4") == ("2023.4",)
    assert candidates("2023.4") == ("2023.4", "2024.1")
    assert candidates("2024.1..2025.1") == ("2024.1", "2024.4", "2025.1", "2025.2")
    assert candidates("2024.2") == ("2024.1", "2024.4")


def test_what_was_published_keeps_every_gating_promise_but_where_it_is_known_to_contradict() -> None:
    broken: dict[str, dict[str, set[str]]] = {}
    for profile in ("2023.4", "2024.1", "2024.4", "2025.1", "2025.2", "2026.1"):
        rules = Rules.of(profile)
        gating = {row.id for row in load_rows(profile).rows if row.gates}
        sessions: dict[str, list[Recording]] = {}
        for one in folder.read(PUBLISHED, rules.document):
            if profile in candidates(one.release):
                sessions.setdefault(one.session, []).append(one)
        for session in sessions.values():
            names = {id(one.exchange): name_of(one) for one in session}
            for exchange, before in in_order(one.exchange for one in ordered(session)):
                seen = (
                    {f.requirement for f in judge(exchange, before, rules) if not f.held}
                    if exchange.operation
                    else set()
                )
                broken.setdefault(names[id(exchange)], {})[profile] = seen & gating
    known = {
        name for entry in explanations(PUBLISHED / "explained.toml") if entry.contradicts for name in entry.recordings
    }
    assert {name: kinds for name, kinds in broken.items() if all(kinds.values()) and name not in known} == {}
