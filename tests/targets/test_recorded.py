from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from conformance.checks import Rules
from conformance.data import FIXTURES
from conformance.model import Exchange, Headers, Request, Response
from conformance.recording import folder
from conformance.recording.replay import recorded_transport
from conformance.recording.traffic import ordered
from conformance.run.session import Session
from conformance.spec.document import Document
from conformance.targets.recorded import NoRecordingError, Recorded, recorded

JSON = Headers({"Content-Type": "application/json"})


def exchange(
    question: Any,
    answer: Any,
    path: str = "/v1/api/pipelines/deploy",
    status: int = 200,
    name: str = "",
    token: bool = False,
) -> Exchange:
    headers = Headers({"Content-Type": "application/json"} | ({"Authorization": "Bearer x"} if token else {}))
    request = Request("POST", f"https://real.example{path}", headers, json.dumps(question).encode())
    return Exchange(request, Response(status, JSON, json.dumps(answer).encode()), source=name)


def client(*exchanges: Exchange) -> httpx.Client:
    return httpx.Client(transport=Recorded(exchanges).transport, base_url="http://elsewhere")


def test_a_recorded_request_gets_its_recorded_answer_whatever_the_host() -> None:
    answer = client(exchange({"b": 1, "a": [2]}, {"id": 14}, status=202)).post(
        "/v1/api/pipelines/deploy", content=b'{"a": [2], "b": 1}'
    )
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (202, {"id": 14}, "application/json")


def test_the_same_request_recorded_again_is_answered_in_turn_and_the_last_stays() -> None:
    http = client(*(exchange({}, {"status": status}) for status in ("Starting", "Starting", "Running")))
    came = [http.post("/v1/api/pipelines/deploy", json={}).json()["status"] for _ in range(5)]
    assert came == ["Starting", "Starting", "Running", "Running", "Running"]


def test_a_token_counts_only_where_recordings_differ_in_it() -> None:
    http = client(exchange({}, {"id": 14}, token=True), exchange({}, {"msg": "no"}, status=401))
    assert http.post("/v1/api/pipelines/deploy", json={}).status_code == 401
    assert http.post("/v1/api/pipelines/deploy", json={}, headers={"Authorization": "Bearer y"}).status_code == 200
    assert client(exchange({}, 1, token=True)).post("/v1/api/pipelines/deploy", json={}).json() == 1


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"deploy_id": "p", "pipeline_id": 1}, r"\$\.pipeline_id \(1, not 25\)"),
        ({"deploy_id": "p"}, r"\$\.pipeline_id \(absent, not 25\)"),
        ({"deploy_id": "p", "pipeline_id": 25, "x": None}, r"\$\.x \(null, not absent\)"),
        ({"deploy_id": "q", "pipeline_id": 1}, r"\$\.deploy_id \(\"q\", not \"p\"\), and at 1 more places"),
        ({"deploy_id": "p", "pipeline_id": 25.0}, r"\$\.pipeline_id \(25\.0, not 25\)"),
    ],
)
def test_a_request_nothing_answers_names_the_nearest_and_where_it_differs(body: object, where: str) -> None:
    http = client(
        exchange({}, 1, "/v1/api/pipelines/copy", name="copy.json"),
        exchange({"deploy_id": "p", "pipeline_id": 25}, {"id": 1}, name="fixtures/deploy.json"),
        exchange({"far": [1, 2, 3], "off": {}}, {"id": 1}, name="far.json"),
    )
    with pytest.raises(NoRecordingError, match=rf"The nearest is fixtures/deploy\.json; it differs at {where}"):
        http.post("/v1/api/pipelines/deploy", json=body)


def test_another_path_or_method_is_named_as_the_difference() -> None:
    http = client(exchange({}, 1, "/v1/api/pipelines/copy", name="copy.json"))
    with pytest.raises(NoRecordingError, match=r"it differs at path \(\"/v1/api/pipelines/cope\", not"):
        http.post("/v1/api/pipelines/cope", json={})
    with pytest.raises(NoRecordingError, match=r"it differs at method \(\"GET\", not \"POST\"\)"):
        http.get("/v1/api/pipelines/copy")
    with pytest.raises(NoRecordingError, match="there are no recordings"):
        client().get("/x")


def test_a_miss_never_shows_a_secret() -> None:
    with pytest.raises(NoRecordingError) as error:
        client(exchange({"password": "recorded-word"}, 1)).post(
            "/v1/api/pipelines/deploy", json={"password": "sent-word"}
        )
    assert "word" not in str(error.value).replace("password", "")


def test_forms_are_compared_part_by_part() -> None:
    built = httpx.Request("POST", "http://x/up", files={"file": b"\x00\xff", "metadata": (None, '{"a": 1, "b": 2}')})
    request = Request("POST", "http://x/up", Headers(built.headers.multi_items()), built.read())
    http = client(Exchange(request, Response(202, JSON, b"{}")))
    files = {"metadata": (None, '{"b":2,"a":1}', "application/json"), "file": b"\x00\xff"}
    assert http.post("/up", files=files).status_code == 202
    with pytest.raises(NoRecordingError, match=r"\$\.file \(2 bytes, not 2 bytes\)"):
        http.post("/up", files=files | {"file": b"\x00\xfe"})


def test_recordings_never_asked_for_are_known() -> None:
    given = [exchange({"n": n}, n, name=str(n)) for n in range(3)]
    recordings = Recorded(given)
    http = httpx.Client(transport=recordings.transport, base_url="http://x")
    http.post("/v1/api/pipelines/deploy", json={"n": 1})
    assert recordings.never_asked == (given[0], given[2])
    assert recordings.asked == [given[1]]


def test_an_answer_that_never_came_is_none_again() -> None:
    http = client(Exchange(Request("GET", "http://x/y"), None, failure="connection reset"))
    with pytest.raises(httpx.ReadError, match="connection reset"):
        http.get("/y")


def test_a_body_that_was_unpacked_is_not_unpacked_again() -> None:
    headers = Headers({"Content-Encoding": "gzip", "Content-Length": "3", "Content-Type": "text/plain"})
    http = client(Exchange(Request("GET", "http://x/y"), Response(200, headers, b"plain")))
    assert http.get("/y").text == "plain"


def test_async_clients_may_use_the_transport() -> None:
    async def ask() -> object:
        async with httpx.AsyncClient(transport=Recorded([exchange({}, {"id": 3})]).transport) as http:
            return (await http.post("http://x/v1/api/pipelines/deploy", json={})).json()

    assert asyncio.run(ask()) == {"id": 3}


def test_the_tutorials_recordings_answer_offline() -> None:
    http = httpx.Client(transport=recorded_transport(), base_url="http://recorded")
    name = {"name": "api-pipeline-with-models-14"}
    assert http.post("/v1/api/status/get_deployment", json=name).json()["status"] == "Running"
    create = {"pipeline_id": "api-empty-pipeline", "workspace_id": 10, "definition": {}}
    came = [http.post("/v1/api/pipelines/create", json=create).json()["pipeline_variant_pk_id"] for _ in range(3)]
    assert came == [26, 27, 27]


def test_a_recorded_target_sends_and_returns_exchanges_of_operations() -> None:
    target = recorded([exchange({}, {"id": 14})], Document.load())
    came = target.send(Request("POST", "/v1/api/pipelines/deploy", JSON, b"{}"))
    assert (came.operation, came.status, came.answer) == ("pipelines.deploy", 200, {"id": 14})


def test_the_lifecycle_runs_on_a_recorded_target_and_is_judged_as_it_was() -> None:
    rules = Rules.of()
    recordings = ordered(folder.read(FIXTURES / "emulated", rules.document))
    exchanges = [recording.exchange for recording in recordings]
    session = Session(recorded(exchanges, rules.document), rules)
    statuses = [session.send(replace(e.request, url=urlsplit(e.request.url).path)).status for e in exchanges]
    assert statuses == [exchange.status for exchange in exchanges]
    assert session.facts.broken == []
    held = {requirement for requirement, _ in session.facts.held}
    assert {"pipelines.deploy.again-returns-the-same-id", "pipelines.infer.computes-the-model"} <= held
