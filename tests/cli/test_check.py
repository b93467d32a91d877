from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.data import FIXTURES

SHARED = Path(__file__).resolve().parents[3] / "shared" / "recordings"
RECORDINGS = FIXTURES / "recordings"


def check(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main(["check", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, out, err


def har(path: Path, *pairs: tuple[str, Any, Any]) -> Path:
    entries = [
        {
            "startedDateTime": f"2024-01-01T10:00:{number:02}Z",
            "time": 5,
            "request": {
                "method": "POST",
                "url": f"https://api.acme.dev{place}",
                "headers": [{"name": "Content-Type", "value": "application/json"}],
                "postData": {"mimeType": "application/json", "text": json.dumps(question)},
            },
            "response": {
                "status": 200,
                "headers": [{"name": "Content-Type", "value": "application/json"}],
                "content": {"text": json.dumps(answer)},
            },
        }
        for number, (place, question, answer) in enumerate(pairs)
    ]
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": {}, "entries": entries}}), encoding="utf-8")
    return path


DEPLOY = ("/v1/api/pipelines/deploy", {"deploy_id": "p", "pipeline_id": 1, "pipeline_version_pk_id": 2})


def test_the_packages_recordings_are_conformant_and_the_untested_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = check(capsys, RECORDINGS)
    assert code == 0
    assert "CONFORMANT" in out
    assert "Untested" in out
    assert out.rstrip().endswith("12 of 12 exchanges judged.")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collected recordings are not here")
def test_collected_recordings_are_read_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = check(capsys, SHARED)
    assert code == 0
    assert "12 of 12 exchanges judged." in out


def test_a_second_deploy_of_another_id_is_broken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = har(tmp_path / "x.har", (*DEPLOY, {"id": 14}), (*DEPLOY, {"id": 15}))
    code, out, _ = check(capsys, path, "--report", f"json={tmp_path / 'result.json'}")
    assert code == 1
    assert "pipelines.deploy.again-returns-the-same-id" in out
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert (result["verdict"], result["exit_code"], result["target"]["kind"]) == ("not-conformant", 1, "recorded")
    assert result["reached"] == {"pipelines.deploy": {"200": 2}}


def test_traffic_of_no_operation_is_no_verdict(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = har(tmp_path / "x.har", ("/index.html", {}, {}), ("/v1/api/elsewhere", {}, {}))
    code, out, _ = check(capsys, path)
    assert code == 3
    assert "NO VERDICT" in out
    assert "0 of 2 exchanges judged; 2 that belong to no operation were ignored." in out


def test_an_empty_har_is_no_verdict(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert check(capsys, har(tmp_path / "x.har"))[0] == 3


def test_har_and_recordings_are_judged_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = har(tmp_path / "x.har", (*DEPLOY, {"id": 14}), ("/other", {}, {}))
    code, out, _ = check(capsys, path, RECORDINGS / "pipelines.create")
    assert code == 0
    assert "5 of 6 exchanges judged; 1 that belong to no operation were ignored." in out


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.har", None, "does not exist"),
        ("cut.har", '{"log": {"version": "1.2", "entries": [{"startedDateTime": "20', "cut short"),
        ("page.har", "<html></html>", "is not JSON"),
        ("other.json", '{"openapi": "3.1.0"}', "neither a HAR nor a recording"),
        ("list.json", "[]", "neither a HAR nor a recording"),
        ("empty.json", "", "is not JSON"),
        ("binary.har", "\x00\x01", "is not JSON"),
        ("log.json", '{"log": []}', "is no HAR"),
        ("half.json", '{"request": {}, "response": {', "cut short"),
        ("wrong.json", '{"request": [], "response": {}}', "is no recording"),
        ("gone.json", '{"request": {"body_file": "b.bin"}, "response": {}}', "b.bin, which cannot be read"),
        ("out.json", '{"request": {"body_file": "../b.bin"}, "response": {}}', "must stand beside it"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(
    name: str, content: str | None, sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    code, out, err = check(capsys, tmp_path / name)
    assert code == 2
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


def test_a_folder_without_traffic_is_a_usage_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    code, _, err = check(capsys, tmp_path)
    assert code == 2
    assert "holds no recording and no HAR" in err


def test_other_json_in_a_folder_is_passed_over(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "INDEX.json").write_text('{"files": []}', encoding="utf-8")
    har(tmp_path / "x.har", (*DEPLOY, {"id": 14}))
    assert check(capsys, tmp_path)[0] == 0


def test_an_unknown_profile_or_report_is_a_usage_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert check(capsys, RECORDINGS, "--profile", "1999.1")[0] == 2
    assert check(capsys, RECORDINGS, "--report", "nonsense=x")[0] == 2
    assert check(capsys)[0] == 2


def test_nothing_is_sent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert check(capsys, RECORDINGS)[0] == 0


def test_leaks_exits_1_on_a_survivor_and_never_prints_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"password": "hunter2-very-secret"}', encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):
        main(["leaks", str(tmp_path)])
    out = capsys.readouterr().out
    assert "x.json:1: password" in out
    assert "hunter2" not in out
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit, match="0"):
        main(["leaks", str(tmp_path)])
