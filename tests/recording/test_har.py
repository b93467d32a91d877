from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import UsageError
from conformance.model import Exchange
from conformance.recording import har
from conformance.recording.traffic import read
from conformance.spec.document import Document

DATA = Path(__file__).parent / "data"
BASE = "https://demo.api.acme.dev"
DATE = "Mon, 01 Jan 2024 10:00:00 GMT"


def entry(
    path: str = "/v1/api/pipelines/deploy", start: str = "2024-01-01T10:00:00.000Z", **changes: Any
) -> dict[str, Any]:
    """One entry as Chromium writes it; `request`, `response`, `content`, `post` and others are changed by name.

    Sizes that are not given are those of the texts.
    """
    content = {"mimeType": "application/json", "text": '{"id":14}', **changes.pop("content", {})}
    if "size" not in content:
        content["size"] = size_of(content)
    response = {
        "status": 200, "statusText": "OK", "httpVersion": "h2", "cookies": [], "redirectURL": "", "headersSize": -1,
        "headers": [{"name": "content-type", "value": "application/json"}, {"name": "date", "value": DATE}],
        "bodySize": content["size"], "content": content, **changes.pop("response", {}),
    }  # fmt: skip
    post = {"mimeType": "application/json", "text": '{"deploy_id":"p"}', **changes.pop("post", {})}
    request = {
        "method": "POST", "url": BASE + path, "httpVersion": "h2", "cookies": [], "queryString": [], "headersSize": -1,
        "headers": [{"name": ":authority", "value": "demo"}, {"name": "content-type", "value": "application/json"}],
        "bodySize": size_of(post), "postData": post, **changes.pop("request", {}),
    }  # fmt: skip
    return {"startedDateTime": start, "time": 12.5, "request": request, "response": response, "timings": {}, **changes}


def size_of(message: dict[str, Any]) -> int:
    text = str(message.get("text") or "")
    return len(base64.b64decode(text)) if message.get("encoding") == "base64" else len(text.encode())


def written(tmp_path: Path, *entries: object, creator: str = "WebInspector") -> Path:
    log = {"version": "1.2", "creator": {"name": creator, "version": "1"}, "pages": [], "entries": list(entries)}
    path = tmp_path / "some.har"
    path.write_text(json.dumps({"log": log}), encoding="utf-8")
    return path


def exchanges(path: Path) -> list[Exchange]:
    with har.opened(path) as archive:
        return list(archive.exchanges())


def only(tmp_path: Path, *entries: object, creator: str = "WebInspector") -> Exchange:
    (exchange,) = exchanges(written(tmp_path, *entries, creator=creator))
    return exchange


def test_an_entry_is_an_exchange(tmp_path: Path) -> None:
    exchange = only(tmp_path, entry())
    assert (exchange.request.method, exchange.request.url) == ("POST", f"{BASE}/v1/api/pipelines/deploy")
    assert dict(exchange.request.headers) == {"content-type": "application/json"}
    assert (exchange.question, exchange.status, exchange.answer) == ({"deploy_id": "p"}, 200, {"id": 14})
    assert exchange.started is not None
    assert exchange.ended == pytest.approx(exchange.started + 0.0125)


@pytest.mark.parametrize(
    "start", ["2024-01-01T10:00:00Z", "2024-01-01T11:00:00.000+01:00", "2024-01-01T10:00:00.0000000Z"]
)
def test_moments_of_any_spelling_are_one(start: str, tmp_path: Path) -> None:
    assert only(tmp_path, entry(start=start)).started == 1704103200.0


def test_entries_come_in_order_of_start(tmp_path: Path) -> None:
    path = written(tmp_path, entry(start="2024-01-01T10:00:02Z", content={"text": "2"}), entry(content={"text": "0"}),
                   entry(start="2024-01-01T10:00:01Z", content={"text": "1"}))  # fmt: skip
    assert [exchange.answer for exchange in exchanges(path)] == [0, 1, 2]


def test_a_har_whose_entries_all_start_at_once_knows_no_times(tmp_path: Path) -> None:
    first, second = exchanges(written(tmp_path, entry(content={"text": "1"}), entry(content={"text": "2"})))
    assert (first.answer, first.started, second.answer, second.ended) == (1, None, 2, None)


def test_base64_bodies_are_unpacked(tmp_path: Path) -> None:
    text = base64.b64encode(b"ARROW1\x00\xff").decode()
    exchange = only(tmp_path, entry(content={"text": text, "encoding": "base64"}))
    assert exchange.response is not None
    assert exchange.response.body == b"ARROW1\x00\xff"


@pytest.mark.parametrize(
    ("content", "size"),
    [
        ({"text": None, "size": 1234}, 1234),
        ({"text": None, "size": -1}, -1),
        ({"text": None, "size": 0, "_file": "resources/body.json"}, 0),
        ({"text": '{"id":\ufffd', "size": 9}, 9),
        ({"text": '{"id":', "size": 100_000}, 100_000),
        ({"text": '{"id":1', "size": 7, "comment": "Body truncated: 7 of 900 bytes recorded"}, 7),
        ({"text": "not base64!", "encoding": "base64", "size": 9}, 9),
    ],
    ids=["evicted", "omitted", "elsewhere", "not UTF-8", "cut short", "schemathesis says so", "bad base64"],
)
def test_of_a_body_that_was_not_kept_nothing_is_claimed(content: dict[str, Any], size: int, tmp_path: Path) -> None:
    response = only(tmp_path, entry(content=content, response={"bodySize": size})).response
    assert response is not None
    assert (response.body, response.body_known) == (b"", False)


def test_an_empty_body_is_known_to_be_empty(tmp_path: Path) -> None:
    raw = entry(response={"status": 404, "bodySize": 0})
    raw["response"]["content"] = {"size": 0, "mimeType": "x-unknown"}
    raw["response"]["headers"] = [{"name": "date", "value": DATE}]
    response = only(tmp_path, raw).response
    assert response is not None
    assert (response.body, response.body_known) == (b"", True)


@pytest.mark.parametrize("status", [0, None, -1])
def test_a_request_that_was_never_answered_has_no_response(status: object, tmp_path: Path) -> None:
    exchange = only(tmp_path, entry(response={"status": status, "_error": "net::ERR_ABORTED"}))
    assert exchange.response is None
    assert exchange.failure == "net::ERR_ABORTED"


def test_compressed_answers_are_held_unpacked(tmp_path: Path) -> None:
    headers = [{"name": "Content-Type", "value": "application/json"}, {"name": "Content-Encoding", "value": "gzip"}]
    response = only(tmp_path, entry(response={"headers": headers, "bodySize": 4}, content={"compression": 5})).response
    assert response is not None
    assert "content-encoding" not in response.headers
    assert response.json == {"id": 14}


def test_headers_that_were_not_kept_are_unknown_and_the_mime_type_stands_in(tmp_path: Path) -> None:
    response = only(tmp_path, entry(response={"headers": []})).response
    assert response is not None
    assert (response.headers_known, response.media_type) == (False, "application/json")
    response = only(tmp_path, entry(response={"headers": []}, content={"mimeType": "x-unknown"})).response
    assert response is not None
    assert not response.headers_known


def test_a_challenge_that_the_writer_hid_is_not_held_against_the_target(tmp_path: Path) -> None:
    headers = [{"name": "content-type", "value": "text/plain"}, {"name": "www-authenticate", "value": "[Filtered]"}]
    response = only(tmp_path, entry(response={"status": 401, "headers": headers})).response
    assert response is not None
    assert not response.headers_known


def test_schemathesis_base64_request_bodies_are_unpacked(tmp_path: Path) -> None:
    packed = base64.b64encode(b'{"deploy_id":"p"}').decode()
    answer = {"text": base64.b64encode(b'{"id":14}').decode(), "encoding": "base64"}
    size = len(b'{"deploy_id":"p"}')
    raw = entry(post={"text": packed}, content=answer, request={"bodySize": size})
    exchange = only(tmp_path, raw, creator="harfile")
    assert (exchange.question, exchange.answer) == ({"deploy_id": "p"}, {"id": 14})


def test_a_lossy_upload_is_no_body_rather_than_a_wrong_one(tmp_path: Path) -> None:
    exchange = only(tmp_path, entry(post={"mimeType": "multipart/form-data; boundary=x", "text": "--x\ufffd\ufffd"}))
    assert exchange.request.body == b""


@pytest.mark.parametrize(
    "odd",
    [
        {"request": {"url": "not a url"}}, {"request": {"headers": None}}, {"response": {"content": None}},
        {"time": None}, {"time": -1}, {"startedDateTime": "never"}, {"post": {"text": None, "params": [{"name": "a"}]}},
        {"_webSocketMessages": [{"type": "send", "data": "x"}]}, {"response": {"headers": [None, {"name": "x"}]}},
        {"request": {"httpVersion": "unknown"}}, {"request": {"method": ""}},
    ],
    ids=str,
)  # fmt: skip
def test_odd_entries_are_read_all_the_same(odd: dict[str, Any], tmp_path: Path) -> None:
    assert only(tmp_path, entry(**odd))


def test_entries_that_are_no_objects_are_left_out(tmp_path: Path) -> None:
    assert exchanges(written(tmp_path, None, [], "text")) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not JSON, or is cut short"),
        ("<html>", "is not JSON, or is cut short"),
        ("{}", "is no HAR"),
        ('{"log": {"entries": {}}}', "is no HAR"),
        ('[{"request": {}}]', "is no HAR"),
    ],
)
def test_what_is_no_har_is_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=sentence):
        exchanges(path)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.999])
def test_a_truncated_har_is_a_sentence_and_nothing_of_it_is_judged(part: float, tmp_path: Path) -> None:
    path = written(tmp_path, *[entry() for _ in range(20)])
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: int(len(text) * part)], encoding="utf-8")
    with pytest.raises(UsageError, match=r"cut short( after \d+ whole entries)?; write or copy it again"):
        exchanges(path)


def test_instances_have_ledgers_of_their_own_and_an_api_label_makes_no_other(tmp_path: Path) -> None:
    other = entry(request={"url": "https://demo.acme.dev/v1/api/pipelines/infer/p-1/p"})
    path = written(tmp_path, entry(), other, entry(request={"url": "https://elsewhere.example/x"}))
    series = [(name, [e.operation for e in exchanges]) for name, exchanges in read([path], Document.load())]
    assert series == [
        (f"{path} (demo.acme.dev)", ["pipelines.deploy", "pipelines.infer"]),
        (f"{path} (elsewhere.example)", [None]),
    ]


def test_what_is_exported_is_read_back_the_same(tmp_path: Path) -> None:
    binary = {"text": base64.b64encode(b"\xff\xfe").decode(), "encoding": "base64"}
    entries = [
        entry(),
        entry(response={"status": 0}),
        entry(start="2024-01-01T10:00:01Z", content={"text": None, "size": 5}),
        entry(start="2024-01-01T10:00:02Z", content=binary),
    ]
    original = exchanges(written(tmp_path, *entries))
    assert har.write(tmp_path / "out.har", original) == 4
    for before, after in zip(original, exchanges(tmp_path / "out.har"), strict=True):
        assert (before.request, before.status, before.started) == (after.request, after.status, after.started)
        if before.response and after.response:
            assert (before.response.body, before.response.body_known) == (
                after.response.body,
                after.response.body_known,
            )


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        har.write(tmp_path / "no" / "x.har", [])
    assert list(tmp_path.iterdir()) == []
