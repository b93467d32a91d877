"""Emulated instances to ask: real servers on free ports, in threads of this process."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from conformance.data import FIXTURES
from conformance.emulator.app import create_app
from conformance.emulator.faults import Fault, middleware_of
from conformance.emulator.server import Server, listening_socket, url_of
from conformance.emulator.settings import PROFILES, Settings
from conformance.emulator.state import Middleware, State

MODEL = (FIXTURES / "models" / "fraud.onnx").read_bytes()
SHA = hashlib.sha256(MODEL).hexdigest()
TOKEN = "/auth/realms/master/protocol/openid-connect/token"
RECORDS = "application/json; format=pandas-records"
ARROW = "application/vnd.apache.arrow.file"


@dataclass
class Instance:
    """One running instance, and a client that says what the tutorial says."""

    url: str
    app: Starlette
    http: httpx.Client
    token: str = ""
    names: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        state: State = self.app.state.emulated
        return state

    def login(self) -> dict[str, Any]:
        settings = self.state.settings
        form = {"grant_type": "password", "username": settings.username, "password": settings.password}
        answer: dict[str, Any] = self.http.post(TOKEN, data=form | {"client_id": "sdk-client"}).json()
        self.headers = {"authorization": f"Bearer {answer['access_token']}"}
        return answer

    def call(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.http.post(f"/v1/api/{path}", json=body, headers=self.headers, **options)

    def ok(self, path: str, body: Any = None) -> Any:
        response = self.call(path, body)
        assert response.status_code == 200, response.text
        return response.json()

    def name(self) -> str:
        self.names += 1
        return f"name-{self.names}"

    def upload(
        self, content: bytes = MODEL, name: str = "model", workspace: int = 10, file_name: str = "m.onnx", **more: Any
    ) -> httpx.Response:
        conversion = {"framework": "onnx", "python_version": "3.8", "requirements": []} | more
        metadata = {"name": name, "visibility": "public", "workspace_id": workspace, "conversion": conversion}
        files = {"metadata": (None, json.dumps(metadata), "application/json"), "file": (file_name, content)}
        return self.http.post("/v1/api/models/upload_and_convert", files=files, headers=self.headers)

    def model(self, content: bytes = MODEL, name: str = "model", workspace: int = 10) -> dict[str, str]:
        response = self.upload(content, name, workspace)
        assert response.status_code == 202, response.text
        made = response.json()["insert_models"]["returning"][0]["models"][0]["id"]
        version = next(v for v in self.ok("models/list_versions", {"model_id": name}) if v["id"] == made)
        return {"name": name, "version": version["model_version"], "sha": version["sha"]}

    def pipeline(self, *models: dict[str, str], name: str = "", workspace: int = 10) -> dict[str, Any]:
        name = name or self.name()
        steps = [{"ModelInference": {"models": [model]}} for model in models]
        body = {"pipeline_id": name, "workspace_id": workspace, "definition": {"steps": steps} if steps else {}}
        made: dict[str, Any] = self.ok("pipelines/create", body)
        return made | {"name": name, "models": list(models)}

    def deployed(self, pipeline: dict[str, Any], deploy_id: str = "", **more: Any) -> str:
        """Deploy, wait until it runs, and give `{deploy_id}-{id}`."""
        name = deploy_id or pipeline["name"]
        ids = {"pipeline_id": pipeline["pipeline_pk_id"], "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}
        made = self.ok("pipelines/deploy", {"deploy_id": name, **ids, "models": pipeline["models"]} | more)
        full = f"{name}-{made['id']}"
        self.until(full, "Running")
        return full

    def until(self, deployment: str, wanted: str | int) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            response = self.call("status/get_deployment", {"name": deployment})
            if wanted in (response.status_code, response.json().get("status")):
                body: dict[str, Any] = response.json()
                return body
            time.sleep(0.01)
        raise AssertionError(f"{deployment} never became {wanted}: {response.text}")

    def infer(self, deployment: str, pipeline: str, rows: Any, **options: Any) -> httpx.Response:
        content = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        headers = self.headers | {"content-type": RECORDS} | options.pop("headers", {})
        return self.http.post(
            f"/v1/api/pipelines/infer/{deployment}/{pipeline}", content=content, headers=headers, **options
        )


@contextmanager
def serving(settings: Settings, **options: Any) -> Iterator[Instance]:
    listener = listening_socket("127.0.0.1", 0)
    url = url_of(listener)
    app = create_app(replace(settings, base_url=url), **options)
    ready = threading.Event()
    server = Server(app, ready.set, settings.limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert ready.wait(20)
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as http:
            instance = Instance(url, app, http)
            instance.login()
            yield instance
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


Start = Callable[..., Instance]


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    """One instance for all tests that leave it as usable as they found it; each makes its own pipelines."""
    with serving(Settings(start_seconds=0.02, stop_seconds=0.02, token_seconds=3600)) as started:
        yield started


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts an instance of these settings; each ends with the test."""
    with ExitStack() as stack:

        def begin(
            *faults: Fault,
            document: dict[str, Any] | None = None,
            middleware: dict[str, tuple[Middleware, ...]] | None = None,
            profile: str = "2023.4",
            **more: Any,
        ) -> Instance:
            settings = Settings(profile=PROFILES[profile], **({"start_seconds": 0.02, "stop_seconds": 0.02} | more))
            compose = None if document is None else lambda: document
            middleware = middleware or middleware_of(faults)
            return stack.enter_context(serving(settings, middleware=middleware, document=compose))

        yield begin


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the tutorial's own model; where it is absent the test is skipped."""
    folder = Path(__file__).resolve().parents[3] / "shared"
    if not (folder / "models" / "ccfraud.onnx").exists():
        pytest.skip("the tutorial's model is not here")
    return folder
