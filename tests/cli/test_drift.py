from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from conformance.cli import main
from tests.drift.pairs import description


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    paths = []
    for name, schema in (("base", {"type": "string"}), ("revision", {"type": "string", "maxLength": 3})):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(description(schema, "request", {})), encoding="utf-8")
        paths.append(str(path))
    return paths[0], paths[1]


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["drift", *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize(
    ("fail_on", "breaking", "loosened", "same"), [("breaking", 1, 0, 0), ("any", 1, 1, 0), ("never", 0, 0, 0)]
)
def test_the_exit_code_is_what_fail_on_says(
    files: tuple[str, str], fail_on: str, breaking: int, loosened: int, same: int
) -> None:
    base, revision = files
    assert _run(base, revision, "--fail-on", fail_on) == breaking
    assert _run(revision, base, "--fail-on", fail_on) == loosened
    assert _run(base, base, "--fail-on", fail_on) == same


def test_json_goes_to_standard_output_alone(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*files, "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "breaking"
    assert told["changes"][0]["witness"] == "aaaa"


def test_an_ignored_change_does_not_fail(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ignore = tmp_path / "ignore.toml"
    ignore.write_text(
        '[[ignore]]\noperation = "do"\nreason = "r"\nowner = "o"\nlast_day = 2099-01-01\n', encoding="utf-8"
    )
    assert _run(*files, "--ignore", str(ignore)) == 0
    assert "Ignored until 2099-01-01" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [(), ("only-one.yaml",), ("none.yaml", "none.yaml"), ("a", "b", "--format", "pdf")]
)
def test_wrong_usage_is_one_sentence_and_exit_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_description_with_slips_is_compared_and_refused_only_where_strict(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    base, revision = files
    with Path(base).open("a", encoding="utf-8") as file:
        file.write("x-more: 1\ntags: no\n")
    assert _run(base, revision, "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(one["pointer"], one["file"]) for one in told["slips"]] == [("/tags", base)]
    assert [one["location"] for one in told["changes"]] == ["request.body"]
    assert _run(base, base) == 0
    assert "what is not valid was left out" in capsys.readouterr().out
    assert _run(base, revision, "--strict-documents") == 2
    said = capsys.readouterr()
    assert "/tags" in said.err
    assert not said.out


def test_a_change_where_one_description_is_not_valid_says_so(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    base, revision = files
    text = Path(revision).read_text(encoding="utf-8")
    Path(revision).write_text(text.replace("type: string", "$ref: '#/components/schemas/Gone'"), encoding="utf-8")
    _run(base, revision, "--format", "json")
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert changes
    assert all(one["message"].endswith("The revision is not valid here.") for one in changes)


@pytest.fixture
def web(files: tuple[str, str]) -> Iterator[str]:
    """A server of the two files, of an instance below `/new`, and of a redirection."""
    texts = {f"/{Path(name).name}": Path(name).read_text(encoding="utf-8") for name in files}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/new").replace("/v1/api/openapi.json", "/revision.yaml")
            self.send_response(302 if path == "/moved" else 200 if path in texts else 404)
            if path == "/moved":
                self.send_header("Location", "/base.yaml")
            self.end_headers()
            self.wfile.write(texts.get(path, "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("pair", [("/base.yaml", "/revision.yaml"), ("/moved", "/new"), ("/moved", "/new/v1/api")])
def test_urls_of_descriptions_and_of_instances_are_compared(
    web: str, pair: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*(f"{web}{one}" for one in pair), "--format", "json") == 1
    assert [one["location"] for one in json.loads(capsys.readouterr().out)["changes"]] == ["request.body"]


def test_a_url_without_a_description_or_without_an_answer_is_no_verdict(
    web: str, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(files[0], f"{web}/gone/here") == 3
    assert "nor at any of" in capsys.readouterr().err
    assert _run(files[0], "http://127.0.0.1:1/api.json") == 3
    assert "No answer came from" in capsys.readouterr().err
    assert _run(files[0], "https://user:secret@h.example/api.json") == 2
    assert "secret" not in capsys.readouterr().err
