from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from conformance.drift.compare import compare
from conformance.drift.sources.collection import leave_out, read_ignored
from conformance.errors import UsageError
from tests.drift.pairs import description

TODAY = datetime.date(2026, 5, 1)
WHY = 'reason = "agreed"\nowner = "platform"\nlast_day = 2026-12-31\n'
FOUND = compare(
    description({"type": "object", "properties": {"a": {"type": "string"}}}, "request", {}),
    description({"type": "object", "properties": {"a": {"type": "integer"}}, "minProperties": 1}, "request", {}),
)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ignore.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_accepted_change_no_longer_counts(tmp_path: Path) -> None:
    entries = read_ignored(_file(tmp_path, f'[[ignore]]\noperation = "do"\n{WHY}'))
    left = leave_out(FOUND, entries, TODAY)
    assert FOUND.verdict == "breaking"
    assert left.verdict == "none"
    assert len(left.ignored) == len(FOUND.changes) == 2
    assert not left.stale


def test_an_entry_speaks_only_of_what_has_all_its_selectors(tmp_path: Path) -> None:
    text = f'[[ignore]]\nkind = "request-type-changed"\nlocation = "request.body.a"\n{WHY}'
    left = leave_out(FOUND, read_ignored(_file(tmp_path, text)), TODAY)
    assert [change.kind for change in left.changes] == ["request-min-properties-tightened"]


def test_an_entry_nothing_needs_is_stale_and_so_is_one_past_its_day(tmp_path: Path) -> None:
    late = WHY.replace("2026-12-31", "2026-04-30")
    text = f'[[ignore]]\nkind = "operation-removed"\n{WHY}[[ignore]]\noperation = "do"\n{late}'
    left = leave_out(FOUND, read_ignored(_file(tmp_path, text)), TODAY)
    assert left.verdict == "breaking"
    assert [why for _, why in left.stale] == ["no change needs it", "its last day was 2026-04-30"]


def test_a_change_can_be_named_by_its_id(tmp_path: Path) -> None:
    entries = read_ignored(_file(tmp_path, f'[[ignore]]\nchange = "{FOUND.changes[0].id}"\n{WHY}'))
    assert len(leave_out(FOUND, entries, TODAY).changes) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[ignore]", "is not valid TOML"),
        ("[[waiver]]\n", "not 'waiver'"),
        (f"[[ignore]]\n{WHY}", "selects every change"),
        ('[[ignore]]\noperation = "do"\nowner = "o"\nlast_day = 2026-12-31', "has no reason"),
        (f'[[ignore]]\nkind = "no-such-kind"\n{WHY}', "which does not exist"),
        (f'[[ignore]]\nkinds = "x"\n{WHY}', "has 'kinds'"),
        ('[[ignore]]\noperation = "do"\nreason = "r"\nowner = "o"\nlast_day = "soon"', "which is not a date"),
        ("ignore = 3", "may hold [[ignore]] entries only"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("[", r"\[").replace("]", r"\]")):
        read_ignored(_file(tmp_path, text))
