from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jsonschema_rs
import pytest

from conformance.checks import Rules
from conformance.data import FIXTURES, SPECS
from conformance.errors import UsageError
from conformance.model import Exchange, Headers, Request, Response
from conformance.recording import folder, har
from conformance.recording.folder import Recorder, checked
from conformance.recording.judgement import judge_traffic
from conformance.recording.recording import Recording
from conformance.recording.traffic import read
from conformance.spec.document import Document
from tests.secrets_planted import planted

JSON = Headers({"Content-Type": "application/json"})
DEPLOY = "http://x/v1/api/pipelines/deploy"


def exchange(request: bytes, response: bytes, kind: str = "application/json", **changes: object) -> Exchange:
    headers = Headers({"Content-Type": kind})
    answer = Response(200, headers, response)
    return Exchange(Request("POST", DEPLOY, headers, request), answer, "pipelines.deploy", **changes)  # type: ignore[arg-type]


def kept(tmp_path: Path, *exchanges: Exchange) -> tuple[Recording, ...]:
    recordings = [
        Recording(e, about="a", source="b", release="c", session="s", order=n) for n, e in enumerate(exchanges)
    ]
    folder.write(tmp_path / "out", recordings)
    return folder.read(tmp_path / "out", Document.load())


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": 14}', b"null", b"", b'"text"', b"plain text\n", b"\xff\xfe\x00", b'{"a": 1, "a": 2}', b"[NaN]",
        b'{"id":', b"[1.0, 1, 1e3, true]", '"é\u2028"'.encode(), b"\x1b[31m",
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_any_body_is_read_back_as_it_was(body: bytes, kind: str, tmp_path: Path) -> None:
    (recording,) = kept(tmp_path, exchange(body, body, kind))
    for message in (recording.exchange.request, recording.exchange.response):
        assert message is not None
        same = message.body == body or (message.is_json and message.json == json.loads(body))
        assert same
        assert message.headers["content-type"] == kind
    assert recording.exchange.response is not None
    assert recording.exchange.response.body_known


def test_what_is_unknown_stays_unknown(tmp_path: Path) -> None:
    unknown = Exchange(
        Request("POST", DEPLOY), Response(200, body_known=False, headers_known=False), "pipelines.deploy"
    )
    silent = Exchange(Request("POST", DEPLOY), None, "pipelines.deploy", failure="connection reset")
    first, second = (recording.exchange for recording in kept(tmp_path, unknown, silent))
    assert first.response is not None
    assert (first.response.body_known, first.response.headers_known, first.labels) == (False, False, frozenset())
    assert (second.response, second.failure) == (None, "connection reset")


def test_times_order_and_provenance_are_kept(tmp_path: Path) -> None:
    (recording,) = kept(tmp_path, exchange(b"{}", b"{}", started=1704103200.25, ended=1704103200.5))
    assert (recording.exchange.started, recording.exchange.ended) == (1704103200.25, 1704103200.5)
    assert (recording.about, recording.source, recording.release, recording.session) == ("a", "b", "c", "s")
    assert recording.order == 0
    assert recording.exchange.operation == "pipelines.deploy"


def test_a_body_file_that_differs_is_refused(tmp_path: Path) -> None:
    kept(tmp_path, exchange(b"\xff\x00", b"{}"))
    (file,) = (tmp_path / "out").rglob("*.bin")
    raw = json.loads(next((tmp_path / "out").rglob("*.json")).read_text(encoding="utf-8"))
    assert raw["request"]["sha256"] == hashlib.sha256(b"\xff\x00").hexdigest()
    file.write_bytes(b"\xff\x01")
    with pytest.raises(UsageError, match="its SHA-256 differs"):
        folder.read(tmp_path / "out", Document.load())


@pytest.mark.parametrize("place", ["recordings", "emulated", "published"])
def test_every_fixture_is_as_the_schema_says(place: str) -> None:
    schema = jsonschema_rs.validator_for(json.loads((SPECS / "recording.schema.json").read_text(encoding="utf-8")))
    files = sorted((FIXTURES / place).rglob("*.json"))
    assert len(files) >= 12
    for file in files:
        raw = json.loads(file.read_text(encoding="utf-8"))
        assert [error.message for error in schema.iter_errors(raw)] == [], file.name
        for one in raw.get("recordings", [raw]):
            answer = one["response"]
            assert answer["status"] is None or "status_source" in answer or "headers" in answer or place == "published"


def test_a_file_may_hold_several_recordings_each_with_a_name_of_its_own(tmp_path: Path) -> None:
    one = {
        "request": {"method": "POST", "path": "/v1/api/pipelines/deploy"},
        "response": {"status": None, "body": {"id": 1}},
    }
    other = {**one, "name": "second", "session": "s", "response": {"status": None, "body": {"id": 2}}}
    path = tmp_path / "several.json"
    path.write_text(json.dumps({"recordings": [{**one, "name": "first"}, other]}), encoding="utf-8")
    found = folder.read(tmp_path, Document.load())
    assert [(one.name, one.exchange.answer) for one in found] == [
        (f"{path}#first", {"id": 1}), (f"{path}#second", {"id": 2}),
    ]  # fmt: skip
    assert [name for name, _ in read([path], Document.load())] == [f"{path}#first", "s"]


def test_a_status_that_was_not_recorded_is_told_and_counted_as_none(tmp_path: Path) -> None:
    raw = {
        "request": {"method": "POST", "path": "/v1/api/pipelines/deploy"},
        "response": {"status": None, "body": {"id": "1"}},
    }
    (tmp_path / "one.json").write_text(json.dumps(raw), encoding="utf-8")
    tally = judge_traffic(read([tmp_path], Document.load()), Rules.of())
    assert not tally.reached
    assert list({finding.requirement for finding in tally.broken.values()}) == [
        "pipelines.deploy.returns-the-deployment-id"
    ]


def test_fixtures_stand_under_their_operation() -> None:
    for recording in folder.read(FIXTURES / "recordings", Document.load()):
        assert Path(recording.name).parent.name == recording.exchange.operation
        assert recording.about
        assert recording.release == "2023.4"


def test_a_recorder_writes_nothing_that_is_secret(tmp_path: Path) -> None:
    token, text = planted()["JSON Web Token"][0]
    secret = Exchange(
        Request(
            "POST", f"{DEPLOY}?access_token={token}", Headers({"Authorization": f"Bearer {token}", "X-Key": "k"}), b"{}"
        ),
        Response(200, Headers({"Set-Cookie": f"sid={token}"}), json.dumps({"msg": text}).encode()),
    )
    for place in (tmp_path / "dir", tmp_path / "x.har"):
        recorder = Recorder(checked(place), "test", "2023.4")
        recorder.keep(secret)
        assert recorder.write() == 1
    written = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 2
    assert all(token not in content and "Bearer <jwt-" in content for content in written)


def test_a_recorder_keeps_the_order_of_start(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "x.har", "test", "2023.4")
    for start in (3.0, 1.0, 2.0):
        recorder.keep(exchange(b"{}", json.dumps(start).encode(), started=start, ended=start))
    recorder.write()
    with har.opened(tmp_path / "x.har") as archive:
        assert [exchange.answer for exchange in archive.exchanges()] == [1.0, 2.0, 3.0]


def test_exchanges_larger_than_told_are_left_out_and_counted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "x.har", "test", "2023.4", largest=10)
    for body in (b'"small"', b'"more than ten bytes"'):
        recorder.keep(exchange(b"{}", body))
    assert (recorder.write(), recorder.left_out) == (1, 1)


def test_a_length_that_was_true_stays_true_of_json_kept_as_a_value(tmp_path: Path) -> None:
    body = b'{ "small" : 0.00001 }'
    answer = Response(200, Headers({"Content-Type": "application/json", "Content-Length": str(len(body))}), body)
    (recording,) = kept(tmp_path, Exchange(Request("POST", DEPLOY), answer, "pipelines.deploy"))
    response = recording.exchange.response
    assert response is not None
    assert response.headers["content-length"] == str(len(response.body)) != str(len(body))


def test_workers_write_beside_each_other(tmp_path: Path) -> None:
    for worker in ("gw0", "gw1"):
        for place in (tmp_path / "dir", tmp_path / "x.har"):
            recorder = Recorder(place, "test", "2023.4", session="run", worker=worker)
            recorder.keep(exchange(b"{}", b"{}"))
            recorder.write()
    assert {path.name for path in tmp_path.iterdir()} == {"dir", "x-gw0.har", "x-gw1.har"}
    recordings = folder.read(tmp_path / "dir", Document.load())
    assert [recording.session for recording in recordings] == ["run gw0", "run gw1"]


def test_a_place_that_cannot_take_recordings_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for place, sentence in (("full", "not an empty folder"), ("no/x.har", "no folder"), ("full/file", "not an empty")):
        with pytest.raises(UsageError, match=sentence):
            checked(tmp_path / place)
