"""Waiver files: what is read, what is refused and in which words, and what is proposed."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Any

import pytest

from conformance import data
from conformance.errors import UsageError
from conformance.model import Waiver
from conformance.run.waivers import expired, propose, read_waivers
from tests.reporting import sample

TODAY = datetime.date(2024, 5, 1)
ENTRY = {
    "requirement": sample.SAME_ID.id,
    "reason": "Known.",
    "owner": "platform",
    "last_day": datetime.date(2024, 6, 1),
}


def written(tmp_path: Path, *entries: dict[str, Any]) -> Path:
    def value(item: Any) -> str:
        return str(item) if isinstance(item, datetime.date | int) else f'"{item}"'

    path = tmp_path / "waivers.toml"
    blocks = ["[[waiver]]\n" + "\n".join(f"{key} = {value(item)}" for key, item in entry.items()) for entry in entries]
    path.write_text("\n".join(blocks))
    return path


def read(path: Path) -> tuple[Waiver, ...]:
    return read_waivers(path, sample.ROWS, TODAY)


def test_an_entry_is_read_with_its_narrowings(tmp_path: Path) -> None:
    narrow = {**ENTRY, "operation": "pipelines.deploy", "profile": "2023.4", "fingerprint": "0123456789abcdef"}
    assert read(written(tmp_path, narrow)) == (
        Waiver(
            sample.SAME_ID.id, "Known.", "platform", ENTRY["last_day"], "pipelines.deploy", "2023.4", "0123456789abcdef"
        ),  # type: ignore[arg-type]
    )


def test_a_day_may_be_a_string(tmp_path: Path) -> None:
    assert read(written(tmp_path, {**ENTRY, "last_day": "2024-06-01"}))[0].last_day == datetime.date(2024, 6, 1)


def test_an_empty_file_waives_nothing(tmp_path: Path) -> None:
    assert read(written(tmp_path)) == ()


@pytest.mark.parametrize(("days", "refused"), [(180, False), (181, True)])
def test_a_last_day_lies_at_most_180_days_ahead(days: int, refused: bool, tmp_path: Path) -> None:
    path = written(tmp_path, {**ENTRY, "last_day": TODAY + datetime.timedelta(days=days)})
    if refused:
        with pytest.raises(UsageError, match="more than 180 days ahead; 2024-10-28 is the latest"):
            read(path)
    else:
        assert len(read(path)) == 1


def test_an_expired_entry_is_read_and_told(tmp_path: Path) -> None:
    (waiver,) = read(written(tmp_path, {**ENTRY, "last_day": datetime.date(2024, 4, 30)}))
    assert expired([waiver], TODAY) == [waiver]
    assert expired([waiver], datetime.date(2024, 4, 30)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"requirement": "pipelines.deploy.again-return-the-same-id"}, f"the nearest is '{sample.SAME_ID.id}'"),
        (
            {"operation": "pipelines.deply"},
            "there is no operation 'pipelines.deply'; the nearest is 'pipelines.deploy'",
        ),
        ({"reason": "TODO"}, "reason and owner are missing"),
        ({"owner": "TODO: who?"}, "reason and owner are missing"),
        ({"reason": "  "}, "waiver 1, reason"),
        ({"last_day": "soon"}, "waiver 1, last_day"),
        ({"last_day": 20240601}, "waiver 1, last_day"),
        ({"fingerprint": "XYZ"}, "waiver 1, fingerprint"),
        ({"because": "x"}, "because"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        read(written(tmp_path, {**ENTRY, **changes}))


@pytest.mark.parametrize("missing", sorted(ENTRY))
def test_every_entry_says_what_why_who_and_until_when(missing: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=missing):
        read(written(tmp_path, {key: value for key, value in ENTRY.items() if key != missing}))


def test_the_same_excused_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="waivers 1 and 3 excuse the same"):
        read(written(tmp_path, ENTRY, {**ENTRY, "operation": "pipelines.deploy"}, {**ENTRY, "reason": "Again."}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[[waiver", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"waivers = 1", "waivers"),
        (b"waiver = 1", "waiver"),
    ],
)
def test_what_is_no_waiver_file_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read(tmp_path / "w.toml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml cannot be read"):
        read(tmp_path / "nowhere.toml")


def test_a_proposal_names_every_broken_finding_and_waits_for_a_person(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(propose(sample.result(), TODAY), encoding="utf-8")
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["waiver"]
    assert [entry["requirement"] for entry in entries] == [sample.SAME_ID.id, sample.ALLOW.id]
    assert {entry["last_day"] for entry in entries} == {datetime.date(2024, 5, 31)}
    with pytest.raises(UsageError, match="reason and owner are missing"):
        read(path)


def test_a_completed_proposal_excuses_what_it_was_made_from(tmp_path: Path) -> None:
    from conformance.run.verdict import conclude

    path = tmp_path / "waivers.toml"
    proposal = (
        propose(sample.result(), TODAY)
        .replace('reason = "TODO"', 'reason = "x"')
        .replace('owner = "TODO"', 'owner = "y"')
    )
    path.write_text(proposal, encoding="utf-8")
    broken = [finding for finding in sample.findings() if finding.requirement in (sample.SAME_ID.id, sample.ALLOW.id)]
    verdict = conclude(sample.ROWS[1:3], broken, read(path), TODAY)
    assert (verdict.exit_code, [j.outcome for j in verdict.judgements]) == (0, ["waived", "waived"])


def test_a_target_cannot_write_into_the_proposal() -> None:
    result = sample.result()
    row = next(row for row in result["requirements"] if row["id"] == sample.SAME_ID.id)
    row["findings"][0] |= {"actual": 'x\n[[waiver]]\nrequirement = "y"\r\u2028z', "operation": 'a"\nb\x7f'}
    entries = tomllib.loads(propose(result, TODAY))["waiver"]
    assert [entry["operation"] for entry in entries] == ['a"\nb\x7f', "pipelines.create"]


def test_the_schema_travels_with_the_package() -> None:
    assert (data.SPECS / "waivers.schema.json").is_file()
