"""The emulated instance under load, under kills, and under what is no request at all."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance import data
from conformance.targets.emulated import emulator_process
from conformance.targets.transport import http_client

KILLS = 20
CLIENTS, SECONDS = 16, 30.0
MALFORMED = 2_000
JSON = {"Content-Type": "application/json"}
MODEL = (data.FIXTURES / "models" / "fraud.onnx").read_bytes()


class Caller:
    """One client of an instance, with a token that is fetched anew in time."""

    def __init__(self, url: str) -> None:
        self.url, self.http = url, http_client()
        self._until, self._token = 0.0, ""

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *arguments: object) -> None:
        self.http.close()

    def token(self) -> str:
        if time.monotonic() > self._until:
            form = {"grant_type": "password", "client_id": "sdk-client", "username": "conformance",
                    "password": "conformance"}  # fmt: skip
            path = "/auth/realms/master/protocol/openid-connect/token"
            self._token = self.http.post(self.url + path, data=form, timeout=30).json()["access_token"]
            self._until = time.monotonic() + 30
        return self._token

    def call(self, path: str, body: Any) -> httpx.Response:
        headers = JSON | {"Authorization": f"Bearer {self.token()}"}
        return self.http.post(f"{self.url}/v1/api/{path}", content=json.dumps(body), headers=headers, timeout=30)

    def upload(self, name: str) -> httpx.Response:
        metadata = {"name": name, "visibility": "public", "workspace_id": 10}
        metadata["conversion"] = {"framework": "onnx", "python_version": "3.8", "requirements": []}
        files = {"metadata": (None, json.dumps(metadata), "application/json"), "file": ("model.onnx", MODEL)}
        headers = {"Authorization": f"Bearer {self.token()}"}
        return self.http.post(f"{self.url}/v1/api/models/upload_and_convert", files=files, headers=headers, timeout=30)

    def deployed(self, name: str) -> tuple[str, int]:
        """The inference URL, and the pipeline's key, of a new pipeline that serves the model."""
        version = self.upload(f"{name}-model").json()["insert_models"]["returning"][0]["models"][0]["id"]
        row = next(
            r for r in self.call("models/list_versions", {"model_id": f"{name}-model"}).json() if r["id"] == version
        )
        model = {"name": f"{name}-model", "version": row["model_version"], "sha": row["sha"]}
        definition = {"steps": [{"ModelInference": {"models": [model]}}]}
        made = self.call("pipelines/create", {"pipeline_id": name, "workspace_id": 10, "definition": definition}).json()
        pk, variant = made["pipeline_pk_id"], made["pipeline_variant_pk_id"]
        body = {"deploy_id": name, "pipeline_id": pk, "pipeline_version_pk_id": variant}
        made = self.call("pipelines/deploy", body).json()
        while self.call("status/get_deployment", {"name": f"{name}-{made['id']}"}).json().get("status") != "Running":
            time.sleep(0.1)
        return f"pipelines/infer/{name}-{made['id']}/{name}", pk


class Killed:
    """An instance on disk, that writers write to until it is killed; what it acknowledged is kept."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number = folder, number
        self.acknowledged: list[tuple[str, Any, Any]] = []
        self._lock = threading.Lock()

    def start(self) -> tuple[subprocess.Popen[str], str]:
        arguments = [
            sys.executable,
            "-P",
            "-m",
            "conformance",
            "emulate",
            "--port",
            "0",
            "--data-dir",
            str(self.folder),
        ]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, process.stdout.readline().removeprefix("Listening on ").strip()

    def write(self, url: str, writer: int, over: threading.Event) -> None:
        turn = 0
        with Caller(url) as caller, suppress(httpx.HTTPError):
            while not over.is_set():
                turn += 1
                name = f"k{self.number}-w{writer}-{turn}"
                workspace = caller.call("workspaces/create", {"workspace_name": name})
                self.note("workspace", name, workspace.json()["workspace_id"])
                body = {"pipeline_id": name, "workspace_id": 10, "definition": {}}
                made = caller.call("pipelines/create", body).json()
                self.note("pipeline", name, made["pipeline_pk_id"])
                body = {"deploy_id": name, "pipeline_id": made["pipeline_pk_id"],
                        "pipeline_version_pk_id": made["pipeline_variant_pk_id"]}  # fmt: skip
                self.note("deployment", name, caller.call("pipelines/deploy", body).json()["id"])
                if turn % 4 == 0:
                    uploaded = caller.upload(name).json()
                    self.note("model", name, uploaded["insert_models"]["returning"][0]["models"][0]["id"])

    def note(self, kind: str, name: str, made: Any) -> None:
        with self._lock:
            self.acknowledged.append((kind, name, made))

    def lost(self, url: str) -> list[tuple[str, Any, Any]]:
        """What was acknowledged and is not there."""
        with Caller(url) as caller:
            return self._missing(caller)

    def _missing(self, caller: Caller) -> list[tuple[str, Any, Any]]:
        workspaces = {(row["name"], row["id"]) for row in caller.call("workspaces/list", {}).json()["workspaces"]}
        there = {
            "workspace": lambda name, made: (name, made) in workspaces,
            "pipeline": lambda name, made: caller.call(
                "pipelines/create", {"pipeline_id": name, "workspace_id": 10, "definition": {}}
            ).json()["pipeline_pk_id"] == made,
            "deployment": lambda name, made: caller.call(
                "status/get_deployment", {"name": f"{name}-{made}"}
            ).status_code == 200,
            "model": lambda name, made: made in [
                row["id"] for row in caller.call("models/list_versions", {"model_id": name}).json()
            ],
        }  # fmt: skip
        return [entry for entry in self.acknowledged if not there[entry[0]](entry[1], entry[2])]


def end(process: subprocess.Popen[str]) -> None:
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("number", range(KILLS))
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, number: int) -> None:
    killed = Killed(tmp_path, number)
    process, url = killed.start()
    over = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(killed.write, url, writer, over) for writer in range(4)]
        time.sleep(random.Random(number).uniform(1.0, 3.0))
        os.kill(process.pid, signal.SIGKILL)
        over.set()
        for future in writing:
            with suppress(httpx.HTTPError, ValueError, KeyError):
                future.result()
        end(process)
    process, url = killed.start()
    try:
        lost = killed.lost(url)
    finally:
        process.terminate()
        end(process)
    assert killed.acknowledged
    assert lost == []
    print(f"{len(killed.acknowledged)} acknowledged, {Counter(kind for kind, _, _ in killed.acknowledged)}, 0 lost")


def test_sixteen_clients_at_once_get_right_answers_only() -> None:
    with emulator_process() as url, Caller(url) as caller:
        path, _ = caller.deployed("busy")
        rows = {index: [{"dense_input": [index / CLIENTS] * 29}] for index in range(CLIENTS)}
        right = {index: caller.call(path, rows[index]).json()[0]["out"] for index in rows}
        assert len({str(out) for out in right.values()}) == CLIENTS
        counts: Counter[str] = Counter()
        ids: list[int] = []
        lock = threading.Lock()

        def work(index: int) -> None:
            with Caller(url) as mine:
                ask(index, mine)

        def ask(index: int, mine: Caller) -> None:
            turn, end = 0, time.monotonic() + SECONDS
            while time.monotonic() < end:
                turn += 1
                answer = mine.call(path, rows[index])
                wrong = answer.status_code != 200 or answer.json()[0]["out"] != right[index]
                body = {"pipeline_id": f"c{index}-{turn}", "workspace_id": 10, "definition": {}}
                made = mine.call("pipelines/create", body)
                refused = mine.call("pipelines/undeploy", {})
                with lock:
                    counts["asked"] += 3
                    counts["wrong"] += wrong + (made.status_code != 200) + (refused.status_code != 400)
                    counts["5xx"] += sum(one.status_code >= 500 for one in (answer, made, refused))
                    ids.append(made.json().get("pipeline_pk_id"))

        with ThreadPoolExecutor(CLIENTS) as pool:
            for future in [pool.submit(work, index) for index in range(CLIENTS)]:
                future.result()
    print(dict(counts))
    assert counts["wrong"] == counts["5xx"] == 0
    assert len(set(ids)) == len(ids), "no id is given twice"
    assert counts["asked"] > CLIENTS * 30


def test_no_malformed_request_brings_it_down() -> None:
    dice = random.Random(8)
    with emulator_process() as url, Caller(url) as caller:
        host, port = url.removeprefix("http://").split(":")
        statuses: Counter[str] = Counter()
        for _ in range(MALFORMED):
            sent = _malformed(dice, caller.token())
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                with suppress(OSError):
                    connection.sendall(sent)
                    connection.shutdown(socket.SHUT_WR)
                answer = b""
                with suppress(ConnectionError):
                    while chunk := connection.recv(65536):
                        answer += chunk
                        if b"\r\n\r\n" in answer:
                            break
            statuses[answer[9:12].decode("latin-1") or "closed"] += 1
        print(dict(statuses))
        assert caller.call("workspaces/list", {}).status_code == 200
        path, _ = caller.deployed("after")
        assert caller.call(path, [{"dense_input": [0.5] * 29}]).status_code == 200
    assert not [status for status in statuses if status.startswith("5")], statuses


PATHS = (
    "workspaces/create", "workspaces/list", "models/upload_and_convert", "models/list_versions", "pipelines/create",
    "pipelines/deploy", "pipelines/undeploy", "pipelines/copy", "status/get_deployment",
    "admin/get_pipeline_external_url", "../../auth/realms/master/protocol/openid-connect/token",
)  # fmt: skip
BODIES = (
    b"", b"{", b"[]", b"null", b"{}", b'{"a":' * 500, b"[" * 50_000, b"\xff\xfe{}", b'{"pipeline_id": 1e999}',
    b'{"pipeline_id": "\\ud800", "workspace_id": 10}', b'{"workspace_id": 99999999999999999999, "pipeline_id": "x"}',
    b'{"name": "' + b"x" * 70_000 + b'"}', b'{"pipeline_id":"a","pipeline_id":"b","workspace_id":true}',
    b'{"workspace_name": null}', b'{"deployment_id": -1}',
    b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nPK\x03\x04",
)  # fmt: skip


def _malformed(dice: random.Random, token: str) -> bytes:
    """A request with something wrong in its line, its fields, its framing or its body; then bytes changed at random."""
    body = dice.choice(BODIES)
    kind = dice.choice(
        ("application/json", "multipart/form-data; boundary=x", "text/plain", "application/json; charset=x")
    )
    length = dice.choice((*[len(body)] * 12, len(body) + 7, -1, "x", 2**70))
    method = dice.choice((*["POST"] * 9, "GET", "PUT", "BREW", "post"))
    fields = [f"host: {dice.choice(('x', '', 'a b'))}", f"content-type: {kind}", f"content-length: {length}"]
    fields += [f"authorization: {dice.choice(('Bearer ' + token, 'Bearer', 'Basic eDp5', 'Bearer a.b.c'))}"]
    fields += dice.choice((*[[]] * 12, ["transfer-encoding: chunked"], ["x" * 5000 + ": y"], [": y"], ["a\x00b: c"]))
    dice.shuffle(fields)
    head = f"{method} /v1/api/{dice.choice(PATHS)} HTTP/{dice.choice(('1.1', '1.1', '1.0', '3'))}\r\n"
    sent = bytearray((head + "\r\n".join(fields) + "\r\n\r\n").encode("latin-1") + body)
    for _ in range(dice.choice((0, 0, 0, 0, 1, 5))):
        sent[dice.randrange(min(len(sent), 400))] = dice.randrange(256)
    return bytes(sent)
