"""Report files: refused before a run, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.errors import UsageError
from conformance.reporting import files
from tests.reporting import sample


def test_kinds_and_files_are_read_before_the_run(tmp_path: Path) -> None:
    reports = files.parse_reports([f"json={tmp_path}/a=b.json", f"junit={tmp_path}/b.xml"])
    assert reports == {"json": tmp_path / "a=b.json", "junit": tmp_path / "b.xml"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("junit", "is not KIND=FILE"),
        ("junit=", "is not KIND=FILE"),
        ("junt=x.xml", "the nearest is 'junit'; the kinds are json, junit, html, markdown, sarif"),
        ("json=.", "is a folder"),
        ("json=no/such/folder/x.json", "there is no folder no/such/folder"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_sentence(
    spec: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=said):
        files.parse_reports([spec])


def test_one_kind_twice_and_one_file_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="given twice"):
        files.parse_reports([f"json={tmp_path}/a", f"json={tmp_path}/b"])
    with pytest.raises(UsageError, match="same file"):
        files.parse_reports([f"json={tmp_path}/a", f"junit={tmp_path}/a"])


def test_reports_are_written_over_old_ones_and_leave_nothing_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    files.write_reports(sample.result(), {"json": path})
    assert json.loads(path.read_text())["verdict"] == "not-conformant"
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_rendered_leaves_every_old_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(UsageError, match=r"json report could not be made \(ValueError\)"):
        files.write_reports({**sample.result(), "seconds": float("nan")}, {"json": path})
    assert [(file, file.read_text()) for file in tmp_path.iterdir()] == [(path, "old")]


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        files.write_reports(sample.result(), {"json": Path("/dev/full")})


def test_each_report_is_tried_even_if_another_fails(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="json report cannot be written"):
        files.write_reports(sample.result(), {"json": Path("/dev/full"), "junit": tmp_path / "junit.xml"})
    assert (tmp_path / "junit.xml").is_file()


def test_a_device_is_written_to_and_not_replaced() -> None:
    files.write_reports(sample.result(), {"json": Path("/dev/null")})
    assert Path("/dev/null").is_char_device()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").touch()
    (tmp_path / "link.json").symlink_to("real.json")
    files.write_reports(sample.result(), {"json": tmp_path / "link.json"})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["requests"] == 56


def test_text_that_utf8_cannot_hold_is_written_all_the_same(tmp_path: Path) -> None:
    files.write_reports({**sample.result(), "reason": "half a pair: \ud83d"}, {"json": tmp_path / "r.json"})
    assert json.loads((tmp_path / "r.json").read_bytes())["reason"] == "half a pair: \ud83d"
