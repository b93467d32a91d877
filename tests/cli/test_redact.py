from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.recording.leaks import scan
from tests.recording.test_har import entry, written
from tests.secrets_planted import planted

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIiwiZW1haWwiOiJqYW5lQGFjbWUuaW8ifQ.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([*map(str, arguments)])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def capture(tmp_path: Path) -> Path:
    secrets = " ".join(text for rows in planted().values() for _, text in rows)
    answer: dict[str, Any] = {"id": 14, "owner": "jane@acme.io", "note": secrets}
    headers = [{"name": "Authorization", "value": f"Bearer {TOKEN}"}, {"name": "Content-Type", "value": "text/plain"}]
    odd = {"_initiator": {"stack": f"https://x.example/?access_token={TOKEN}"}, "serverIPAddress": "10.0.0.1"}
    raw = entry(content={"text": json.dumps(answer)}, request={"headers": headers,
                "cookies": [{"name": "SESSION", "value": "c2Vzc2lvbi12YWx1ZS0x"}],
                "queryString": [{"name": "token", "value": TOKEN}]}, **odd)  # fmt: skip
    return written(tmp_path, raw, entry(content={"text": '{"id":14}'}))


def test_a_redacted_capture_has_no_leak_and_is_judged_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dirty, clean = capture(tmp_path), tmp_path / "clean.har"
    assert list(scan([dirty]))
    assert run("redact", dirty, "--output", clean) == 0
    assert list(scan([clean])) == []
    assert "jane" not in clean.read_text(encoding="utf-8")
    before, after = (run("check", file) for file in (dirty, clean))
    assert before == after == 0
    first, second = json.loads(clean.read_text(encoding="utf-8"))["log"]["entries"]
    assert first["response"]["content"]["size"] == len(first["response"]["content"]["text"].encode())
    assert second["response"] == json.loads(dirty.read_text(encoding="utf-8"))["log"]["entries"][1]["response"]
    capsys.readouterr()


def test_a_token_is_listed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        f"Authorization: Bearer {TOKEN}",
        json.dumps({"headers": {"Authorization": f"Bearer {TOKEN}"}}),
        json.dumps({"name": "authorization", "value": f"Bearer {TOKEN}"}),
        json.dumps({"body": json.dumps({"access_token": TOKEN})}),
        f"https://x.example/?access_token={TOKEN}",
    ]
    (tmp_path / "x.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert run("leaks", tmp_path / "x.txt") == 1
    assert capsys.readouterr().out.splitlines()[:-1] == [
        f"{tmp_path / 'x.txt'}:{number}: JSON Web Token" for number in range(1, 6)
    ]


@pytest.mark.parametrize(("name", "content"), [("gone.har", None), ("x.har", "<html>"), ("empty.har", "")])
def test_what_cannot_be_cleaned_is_a_sentence_and_nothing_is_written(
    name: str, content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert run("redact", tmp_path / name, "--output", tmp_path / "clean.har") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "clean.har").exists()
