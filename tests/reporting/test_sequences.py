"""A sequence as a script runs again where ids are others."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.api import multipart
from conformance.model import Exchange, Finding, Headers, Mark, Purpose, Request, Response
from conformance.reporting.sequences import bash_of, can_be_replayed, pytest_of, steps_of
from conformance.reporting.snippets import files_of
from tests.reporting import sample
from tests.reporting.conftest import Listener, Sent

needs_curl = pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="curl is not installed")

UPLOAD_TYPE, UPLOAD_BODY = multipart.encode(
    [
        multipart.Part("file", bytes(10), "application/octet-stream", "m"),
        multipart.Part("metadata", b'{"name": "m", "workspace_id": 3}', "application/json"),
    ]
)
WORKSPACE = sample.exchange(
    "workspaces.create", "/v1/api/workspaces/create", b'{"workspace_name": "w"}', 200, b'{"workspace_id": 3}'
)
UPLOAD = Exchange(
    Request(
        "POST", f"{sample.BASE}/v1/api/models/upload_and_convert", Headers({"Content-Type": UPLOAD_TYPE}), UPLOAD_BODY
    ),
    Response(202, Headers({}), b'{"insert_models": {"returning": [{"models": [{"id": 70}]}]}}'),
    "models.upload-and-convert",
)
LIST = sample.exchange(
    "models.list-versions",
    "/v1/api/models/list_versions",
    b'{"model_id": "m"}',
    200,
    b'[{"id": 69, "model_version": "u-69"}, {"id": 70, "model_version": "u-70"}]',
)
DEPLOY = sample.exchange(
    "pipelines.deploy",
    "/v1/api/pipelines/deploy",
    b'{"deploy_id": "p", "pipeline_id": 25, "pipeline_version_pk_id": 26, "model_ids": [70],'
    b' "models": [{"name": "m", "version": "u-70", "sha": "70"}]}',
    200,
    b'{"id": 14}',
)


def status(word: str, code: int = 200) -> Exchange:
    body = json.dumps({"status": word}).encode()
    return sample.exchange("status.get-deployment", "/v1/api/status/get_deployment", b'{"name": "p-14"}', code, body)


INFER = sample.exchange("pipelines.infer", "/v1/api/pipelines/infer/p-14/p", b'[{"tensor": [14, 25]}]', 200, b"[]")
SEQUENCE = (
    WORKSPACE,
    UPLOAD,
    LIST,
    sample.CREATE,
    DEPLOY,
    status("Starting"),
    status("Starting"),
    status("Running"),
    INFER,
)
FINDING = Finding(
    "pipelines.infer.one-record-a-row", False, 'one "record"', 'none """at all"""', SEQUENCE, "pipelines.infer"
)


class Elsewhere:
    """An instance that gives other ids, and is Running at the third poll."""

    def __init__(self) -> None:
        self.polls = 0

    def __call__(self, sent: Sent) -> tuple[int, bytes]:
        answers = {
            "/v1/api/workspaces/create": {"workspace_id": 1003},
            "/v1/api/models/upload_and_convert": {"insert_models": {"returning": [{"models": [{"id": 1070}]}]}},
            "/v1/api/models/list_versions": [
                {"id": 1070, "model_version": "u-1070"},
                {"id": 2, "model_version": "u-2"},
            ],
            "/v1/api/pipelines/create": {"pipeline_pk_id": 1025, "pipeline_variant_pk_id": 1026},
            "/v1/api/pipelines/deploy": {"id": 1014},
        }
        if sent.path.endswith("get_deployment"):
            self.polls += 1
            pods = {"engines": [{"status": "Running"}]}
            return 200, json.dumps({"status": "Running" if self.polls > 2 else "Starting", **pods}).encode()
        return 200, json.dumps(answers.get(sent.path, [])).encode()


@needs_curl
def test_the_bash_script_carries_ids_from_answer_to_request(listener: Listener, tmp_path: Path) -> None:
    listener.answer = Elsewhere()
    script = bash_of(SEQUENCE).replace("sleep 1", "sleep 0.01")
    environment = {**os.environ, "TOKEN": sample.TOKEN, "TARGET": listener.url, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    workspace, upload, _, _, deploy, *polls, infer, undeploy = listener.sent
    assert (undeploy.path, json.loads(undeploy.body)) == ("/v1/api/pipelines/undeploy", {"pipeline_id": 1025})
    form = multipart.decode(upload.headers["content-type"], upload.body)
    assert json.loads(form["metadata"].content)["workspace_id"] == 1003
    asked = json.loads(deploy.body)
    assert (asked["pipeline_id"], asked["pipeline_version_pk_id"], asked["model_ids"]) == (1025, 1026, [1070])
    assert asked["models"] == [{"name": "m", "version": "u-1070", "sha": "70"}]
    assert [json.loads(poll.body) for poll in polls] == [{"name": "p-1014"}] * 3
    assert (infer.path, json.loads(infer.body)) == ("/v1/api/pipelines/infer/p-1014/p", [{"tensor": [14, 25]}])
    assert workspace.headers["authorization"] == f"Bearer {sample.TOKEN}"


@needs_curl
def test_the_bash_script_waits_for_404_by_the_http_status(listener: Listener, tmp_path: Path) -> None:
    listener.answer = lambda sent: (404 if len(listener.sent) > 2 else 200, b'{"status": "Running", "port": 404}')
    script = bash_of([status("Running"), status("x", 404)]).replace("sleep 1", "sleep 0.01")
    environment = {**os.environ, "TOKEN": "t", "TARGET": listener.url, "NO_PROXY": "127.0.0.1"}
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=True)
    assert len(listener.sent) == 3


def test_the_pytest_file_parses_and_names_the_requirement() -> None:
    text = pytest_of(SEQUENCE, FINDING)
    module = ast.parse(text)
    assert FINDING.requirement in (ast.get_docstring(module) or "")
    assert "def test_pipelines_infer_one_record_a_row() -> None:" in text
    assert 'json={"deploy_id": "p", "pipeline_id": pipeline_1' in text
    assert 'f"/v1/api/pipelines/infer/p-{deployment_1}/p"' in text


def test_no_token_stands_in_either_script() -> None:
    assert sample.TOKEN not in bash_of(SEQUENCE) + pytest_of(SEQUENCE, FINDING)


def test_what_no_later_request_uses_is_not_kept() -> None:
    captures = [capture.name for step in steps_of([sample.CREATE, sample.DEPLOY]) for capture in step.captures]
    assert captures == ["PIPELINE_1", "VARIANT_1"]


def test_another_host_keeps_its_address() -> None:
    elsewhere = replace(INFER, request=replace(INFER.request, url="http://api.other/v1/api/pipelines/infer/p-1/p"))
    steps = steps_of([WORKSPACE, elsewhere])
    assert steps[1].call.url == "http://api.other/v1/api/pipelines/infer/p-1/p"


def test_names_of_a_run_become_names_of_the_next() -> None:
    body = b'{"pipeline_id": "conformance-0a1b2c3d-p", "workspace_id": 10}'
    created = sample.exchange("pipelines.create", "/v1/api/pipelines/create", body, 200, b'{"pipeline_pk_id": 1}')
    path = "/v1/api/pipelines/infer/conformance-0a1b2c3d-p-7/conformance-0a1b2c3d-p"
    inferred = sample.exchange("pipelines.infer", path, b"[]", 200, b"[]")
    script, test = bash_of([created, inferred]), pytest_of([created, inferred], FINDING)
    assert "0a1b2c3d" not in script + test
    assert "RUN=$(" in script
    assert 'f"conformance-{target.run}-p"' in test
    assert "/conformance-$RUN-p-7/conformance-$RUN-p" in script


def test_what_a_start_looks_like_is_asked_until_it_is_over() -> None:
    assert [steps_of([status(word)])[0].until for word in ("Starting", "Running", "Error")] == [
        "Running",
        "Running",
        "",
    ]


def test_a_wait_in_vain_waits_for_what_did_not_come() -> None:
    late = frozenset({Mark.DEADLINE})
    awaited = [steps_of([replace(one, labels=late)])[0].until for one in (status("Running"), status("Starting"))]
    assert awaited == ["404", "Running"]


def test_a_large_body_lies_beside_script_and_test() -> None:
    body = json.dumps([{"tensor": [float(n) for n in range(40)]}] * 60).encode()
    infer = sample.exchange("pipelines.infer", "/v1/api/pipelines/infer/p-14/p", body, 200, b"[]")
    (name,) = files_of(infer.request)
    assert f'open(f"{{HERE}}/{name}", "rb")' in pytest_of([infer], FINDING)
    assert f'"@$HERE/{name}"' in bash_of([infer])
    assert files_of(infer.request)[name] == body


def test_only_tokens_of_that_run_keep_a_sequence_from_being_replayed() -> None:
    probes = [Purpose.IDENTITY.of(word) for word in ("none", "garbage", "forged", "expired", "audience")]
    probes.append(Purpose.GRANT.of("refresh"))
    for requirement, kept in (
        ("pipelines.create.refuses-what-is-no-token", [True, True, True, False, False, False]),
        ("pipelines.create.challenges-the-unauthorized", [True, True, True, True, True, False]),
    ):
        sequences = ([replace(WORKSPACE, labels=frozenset({probe}))] for probe in probes)
        assert [can_be_replayed(one, requirement) for one in sequences] == kept


def test_a_false_token_that_no_replay_can_make_is_another_false_one() -> None:
    probe = replace(WORKSPACE, labels=frozenset({Purpose.IDENTITY.of("expired")}))
    finding = replace(FINDING, requirement="workspaces.create.challenges-the-unauthorized")
    assert 'labels=("identity:garbage",)' in pytest_of([probe], finding)
