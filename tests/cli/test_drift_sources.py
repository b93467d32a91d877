from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from conformance.cli import main
from conformance.data import FIXTURES, SPECS
from conformance.spec.document import Document
from conformance.targets.emulated import emulator_process
from tests.drift.generated_clients import OLDER, unpack

SCHEMA = json.loads((SPECS / "drift.schema.json").read_text(encoding="utf-8"))
SCRIPT = """
import requests
wl = make()
data = {"deploy_id": "p", "models": [{"name": "m", "version": "1", "sha": "s"}]}
print(requests.post(f"{wl}/v1/api/pipelines/deploy", json=data).json()["id"])
"""
COPY = 'curl -X POST "$B/v1/api/pipelines/copy" -d \'{"name": "c"}\'\n'


def drift(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["drift", *arguments])
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out, captured.err


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = drift(capsys, *arguments, "--format", "json")
    found: dict[str, Any] = json.loads(out)
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(found)
    return code, found


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "work.py").write_text(SCRIPT)
    (tmp_path / "copy.sh").write_text(COPY)
    return [str(tmp_path / "work.py"), str(tmp_path / "copy.sh")]


def test_an_upgrade_is_reported_with_what_calls_must_become(capsys):
    code, found = report(capsys, "--from", "2023.4", "--to", "2026.1")
    assert (code, found["verdict"]) == (1, "breaking")
    breaking = {one["id"] for one in found["changes"] if one["breaking"]}
    assert breaking <= found["becomes"].keys()


def test_an_upgrade_is_narrowed_to_what_files_touch(capsys, files):
    code, found = report(capsys, "--from", "2023.4", "--to", "2026.1", "--used-in", *files)
    assert code == 1
    used = found["used_in"]
    assert used["files"] == files
    calls = {(one["operation"], one["location"]): one for one in used["calls"] if one["breaking"]}
    assert set(calls) == {("pipelines.deploy", "request.body.models[].version"), ("pipelines.copy", "operation")}
    version = calls["pipelines.deploy", "request.body.models[].version"]
    assert version["uses"] == [{"file": files[0], "line": 4, "location": "request.body.models[].version", "by": "http"}]
    assert "UUID" in version["becomes"]
    assert {one["id"] for one in found["changes"]} == {one["change"] for one in used["calls"]}
    assert "pipelines.undeploy" in {one["operation"] for one in used["not_seen_in_these_files"]}


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_the_narrowed_report_never_calls_anything_safe(capsys, files, form):
    _, out, _ = drift(capsys, "--from", "2023.4", "--to", "2026.1", "--used-in", *files, "--format", form)
    assert "ot seen in these files" in out
    assert "safe" not in out.lower().replace("'unsafe-inline'", "")
    assert "work.py:4" in out


def test_files_that_touch_nothing_that_changed_give_no_change(capsys, tmp_path):
    (tmp_path / "a.py").write_text("requests.post(b + '/v1/api/workspaces/list', json={})")
    code, found = report(capsys, "--from", "2023.4", "--to", "2026.1", "--used-in", str(tmp_path))
    assert (code, found["verdict"], found["changes"]) == (0, "none", [])
    assert found["used_in"]["operations"] == ["workspaces.list"]


def test_an_sdk_is_compared_with_ours(capsys, tmp_path):
    place = unpack(tmp_path / "sdk", {"api/list.py": LIST, "models/x.py": "", **OLDER})
    code, found = report(capsys, "--sdk", str(place), "--fail-on", "never")
    assert code == 0
    assert found["table"]["columns"] == ["spec", "sdk", "prose"]
    rows = {(row["operation"], row["location"]): row for row in found["table"]["rows"]}
    assert rows["workspaces.list", "operation"]["sdk"]["state"] == "agrees"
    assert rows["pipelines.copy", "operation"]["sdk"]["state"] == "differs"
    assert all(one["message"].startswith("The SDK: ") for one in found["changes"])


LIST = """
    def _get_kwargs(*, client):
        return {"method": "post", "url": "{}/v1/api/workspaces/list".format(client.base_url)}
"""


def test_two_sdks_are_compared(capsys, tmp_path):
    place = str(unpack(tmp_path / "sdk", {"api/list.py": LIST, **OLDER}))
    assert report(capsys, place, place)[1]["verdict"] == "none"


def test_traffic_is_compared_with_ours(capsys):
    place = Path(__file__).parents[2] / "fixtures" / "recordings"
    if not place.is_dir():
        pytest.skip("no recordings here")
    code, found = report(capsys, "--traffic", str(place))
    assert (code, found["verdict"]) == (0, "none")
    assert found["table"]["columns"] == ["spec", "traffic", "prose"]
    assert {row["traffic"]["state"] for row in found["table"]["rows"]} == {"agrees", "unexercised"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["one.yaml"],
        ["--from", "2023.4"],
        ["--from", "2023.4", "--to", "1999.1"],
        ["a.yaml", "b.yaml", "--sdk", "x"],
        ["--from", "2023.4", "--to", "2026.1", "--traffic", "x.har"],
        ["--sdk", "missing"],
        ["--traffic", "missing.har"],
        ["--from", "2023.4", "--to", "2026.1", "--used-in", "missing.py"],
        ["--target", "not a url"],
        ["missing.yaml", "missing.yaml"],
    ],
)
def test_what_cannot_be_compared_ends_in_one_sentence(capsys, arguments):
    code, out, err = drift(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert len(err.strip().splitlines()) == 1


@contextmanager
def serving(document: dict[str, Any]) -> Iterator[str]:
    """An instance that serves this description behind a page, and answers every request with an empty list."""
    pages = {
        "/v1/api/docs": "<script>SwaggerUIBundle({url: '/hidden.json'})</script>",
        "/hidden.json": json.dumps(document),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            kind = "text/html" if self.path == "/v1/api/docs" else "application/json"
            self._answer(404 if page is None else 200, page or "", kind)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self._answer(200, '{"workspaces": []}', "application/json")

        def _answer(self, status: int, body: str, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def ours() -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load((SPECS / "pipelines.openapi.yaml").read_text(encoding="utf-8"))
    return described


def differing(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    columns = [name for name in found["table"]["columns"] if name not in ("spec", "prose")]
    return {
        (row["operation"], row["location"]): row
        for row in found["table"]["rows"]
        if any(row[name]["state"] == "differs" for name in columns)
    }


@pytest.fixture
def credentials(monkeypatch):
    for name in ("CLIENT_SECRET", "CLIENT_ID", "TOKEN_URL", "USERNAME", "PASSWORD", "TARGET"):
        monkeypatch.delenv(f"CONFORMANCE_{name}", raising=False)
    monkeypatch.setenv("CONFORMANCE_TOKEN", "a-token-nobody-checks")


TRAFFIC = str(FIXTURES / "emulated")


def test_an_instance_as_we_describe_it_has_not_drifted(capsys, credentials, ours):
    with serving(ours) as url:
        code, found = report(capsys, "--target", url, "--traffic", TRAFFIC)
    assert (code, found["verdict"]) == (0, "none")
    assert differing(found) == {}
    assert {row["served"]["state"] for row in found["table"]["rows"] if row["operation"] != "api"} == {"agrees"}
    exercised = {row["operation"] for row in found["table"]["rows"] if row["traffic"]["state"] == "agrees"}
    assert exercised == {one.id for one in Document.load().operations}


def test_a_served_document_with_one_changed_field_is_found(capsys, credentials, ours):
    ours["components"]["schemas"]["DeployResponse"]["properties"]["id"] = {"type": "string"}
    with serving(ours) as url:
        code, found = report(capsys, "--target", url, "--traffic", TRAFFIC)
    assert code == 1
    ((place, row),) = differing(found).items()
    assert place == ("pipelines.deploy", "response.200.body.id")
    assert (row["served"]["state"], row["traffic"]["state"], row["breaks"]) == ("differs", "agrees", "readers")


def test_a_behaviour_that_changed_while_the_document_did_not_is_found(capsys, credentials, monkeypatch):
    monkeypatch.delenv("CONFORMANCE_TOKEN")
    monkeypatch.setenv("CONFORMANCE_USERNAME", "conformance")
    monkeypatch.setenv("CONFORMANCE_PASSWORD", "conformance")
    with emulator_process(["--fault", "create-null-version-id"]) as url:
        code, found = report(capsys, "--target", url)
    assert code == 1
    told = {place: row for place, row in differing(found).items() if row["breaks"] == "readers"}
    ((place, row),) = told.items()
    assert place == ("pipelines.create", "response.200.body.pipeline_variant_pk_id")
    assert (row["served"]["state"], row["traffic"]["state"], row["breaks"]) == ("agrees", "differs", "readers")
    assert "while the document it serves does not say so" in row["cause"]


def test_an_instance_may_be_asked_for_its_document_alone_and_told_where(capsys, credentials, ours):
    with serving(ours) as url:
        code, found = report(capsys, "--target", url, "--no-run", "--document", "/hidden.json")
        refused, _, err = drift(capsys, "--target", url, "--no-run", "--document", "/nowhere")
    assert (code, found["table"]["columns"]) == (0, ["spec", "served", "prose"])
    assert (refused, "status 404" in err) == (2, True)


def test_an_instance_that_serves_no_description_is_still_compared_by_its_traffic(capsys, credentials):
    with serving({"openapi": "3.1.0"}) as url:
        code, found = report(capsys, "--target", url, "--traffic", TRAFFIC)
    assert (code, found["table"]["columns"]) == (0, ["spec", "traffic", "prose"])
    assert "serves no description" in found["notes"][0]
