from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent

import pytest

from conformance.drift.report.sections import usage_section
from conformance.drift.sources.collection import narrowed, upgrade
from conformance.drift.usage import Use, read_usage
from conformance.errors import UsageError
from conformance.model import Exchange, Headers, Request, Response
from conformance.spec.document import Document

DOCUMENT = Document.load("2023.4")


def nothing(_: Path) -> Iterable[Exchange]:
    raise AssertionError("no HAR here")


def uses(tmp_path: Path, text: str, name: str = "script.py") -> tuple[Use, ...]:
    file = tmp_path / name
    file.write_text(dedent(text), encoding="utf-8")
    usage = read_usage([file], DOCUMENT, nothing)
    assert usage.notes == ()
    return usage.uses


def locations(found: Iterable[Use], operation: str) -> list[str]:
    return [use.location for use in found if use.operation == operation]


def calls(found: Iterable[Use]) -> list[str]:
    return [use.operation for use in found if use.location == "operation"]


def at(found: Iterable[Use], location: str) -> list[str]:
    return [str(use.place).rsplit("/", 1)[-1] for use in found if use.location == location]


def test_a_call_as_the_tutorial_writes_it(tmp_path):
    found = uses(
        tmp_path,
        """
        import requests, wallaroo
        wl = wallaroo.Client()
        headers = wl.auth.auth_header()
        endpoint = f"{wl.api_endpoint}/v1/api/pipelines/deploy"
        data = {
            "deploy_id": "p",
            "models": [{"name": "m", "version": "1"}],
        }
        response = requests.post(endpoint, json=data, headers=headers, verify=True).json()
        deployment = response['id']
        """,
    )
    assert locations(found, "pipelines.deploy") == [
        "operation",
        "request.body.deploy_id",
        "request.body.models",
        "request.body.models[].name",
        "request.body.models[].version",
        "response.body.id",
    ]
    assert at(found, "request.body.models[].version") == ["script.py:8"]
    assert at(found, "operation") == ["script.py:10"]
    assert at(found, "response.body.id") == ["script.py:11"]


def test_a_long_way_into_an_answer_is_followed(tmp_path):
    found = uses(
        tmp_path,
        """
        import httpx
        answer = httpx.post(BASE + "/v1/api/models/upload_and_convert", files=files)
        model = answer.json()["insert_models"]["returning"][0]["models"][-1]["id"]
        """,
    )
    read = [use.location for use in found if use.location.startswith("response")]
    assert read[-1] == "response.body.insert_models.returning[].models[].id"


# BODY and READ stand for the body that is sent and the field that is read.
WAYS = [
    'requests.post("https://api.x.example/v1/api/pipelines/create", json=BODY).json()READ',
    'requests.post(url="http://h/v1/api/pipelines/create", data=json.dumps(BODY)).json()READ',
    'requests.request("POST", "%s/v1/api/pipelines/create" % b, json=dict(pipeline_id=1)).json()READ',
    'httpx.post("{}/v1/api/pipelines/create".format(b), content=\'BODY\').json().get("pipeline_pk_id")',
    's = requests.Session()\ns.post(b + "/v1/api/" + "pipelines/create", BODY).json()READ',
    'with httpx.Client(base_url=b) as c:\n    c.post("/v1/api/pipelines/create", json=BODY).json()READ',
    'c = httpx.Client(base_url=f"{b}/v1/api")\nc.post("pipelines/create", json=BODY).json()READ',
    """
    async def go(s):
        async with s.post(f"{b}/v1/api/pipelines/create", json=BODY) as r:
            (await r.json())READ
    """,
    'from requests import post\npost(urljoin(b, "/v1/api/pipelines/create"), json=BODY).json()READ',
    """
    def call(path, body):
        return requests.post(b + path, json=body).json()
    call("/v1/api/pipelines/create", BODY)READ
    """,
    """
    class Api:
        def __init__(self):
            self.url = f"{b}/v1/api"
        def go(self):
            r = requests.post(self.url + "/pipelines/create", json=BODY)
            r.raise_for_status()
            return r.json()READ
    """,
    """
    data = {}
    data["pipeline_id"] = 1
    r = requests.post(f"{b}/v1/api/pipelines/create", json=data)
    body = json.loads(r.text)
    print(bodyREAD)
    """,
    """
    base = BODY
    r = requests.post(f"{b}/v1/api/pipelines/create", json={**base})
    pk = r.json()READ if r.ok else None
    """,
    """
    q = urllib.request.Request(f"{b}/v1/api/pipelines/create", data=json.dumps(BODY).encode(), method="POST")
    json.load(urllib.request.urlopen(q))READ
    """,
]


@pytest.mark.parametrize("text", WAYS)
def test_the_ways_a_request_is_written(tmp_path, text):
    written = dedent(text).replace("BODY", '{"pipeline_id": 1}').replace("READ", '["pipeline_pk_id"]')
    seen = locations(uses(tmp_path, written), "pipelines.create")
    assert "operation" in seen
    assert "request.body.pipeline_id" in seen
    assert "response.body.pipeline_pk_id" in seen


def test_asking_at_the_url_another_call_answered_is_an_inference(tmp_path):
    found = uses(
        tmp_path,
        """
        response = requests.post(f"{b}/v1/api/admin/get_pipeline_external_url", json=data).json()
        deployurl = response['url']
        headers['Content-Type'] = 'application/json; format=pandas-records'
        frame = pd.DataFrame.from_records(requests.post(deployurl, json=rows, headers=headers).json())
        frame["check_failures"]
        frame.loc[:, ["time", "out"]]
        for record in requests.post(f"{b}/v1/api/pipelines/infer/{name}-{id}/{name}", params={"dataset[]": "*"}).json():
            print(record["metadata"]["last_model"])
        """,
    )
    assert calls(found) == ["admin.get-pipeline-external-url", "pipelines.infer", "pipelines.infer"]
    seen = locations(found, "pipelines.infer")
    assert "request.content.application/json; format=pandas-records" in seen
    assert "response.body[].check_failures" in seen
    assert "request.query.dataset[]" in seen
    assert "response.body[].metadata.last_model" in seen


def test_a_notebook_is_one_program_and_its_places_are_cells(tmp_path):
    def cell(*lines: str) -> dict[str, object]:
        return {"cell_type": "code", "source": [f"{line}\n" for line in lines]}

    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": "requests.post('/v1/api/workspaces/list')"},
            cell("%%time", "import requests", "%matplotlib inline", "b = 'https://h.example'"),
            cell("url = f'{b}/v1/api/status/get_deployment'", "data = {", "  'name': 'n-1',", "}"),
            cell("r = requests.post(url, json=data).json()", "while r['status'] != 'Running':", "    pass"),
            cell(
                "files = !ls",
                "!pip install x",
                "!curl {b}/v1/api/workspaces/create \\",
                '  -d \'{{"workspace_name": "w"}}\'',
            ),
        ]
    }
    found = uses(tmp_path, json.dumps(notebook), "work.ipynb")
    assert calls(found) == ["status.get-deployment", "workspaces.create"]
    assert at(found, "request.body.name") == ["work.ipynb, cell 3, line 3"]
    assert at(found, "response.body.status") == ["work.ipynb, cell 4, line 2"]
    assert at(found, "request.body.workspace_name") == ["work.ipynb, cell 5, line 3"]


CURL = """
curl -sS -X POST "$BASE/v1/api/pipelines/undeploy" \\
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  --data '{"pipeline_id": '$ID', "deployment_id": 3}' | jq .
curl --request POST --url=https://h/v1/api/models/upload_and_convert \\
  --form 'metadata={"name": "m", "conversion": {"framework": "onnx"}};type=application/json' \\
  -F file=@models/ccfraud.onnx
curl https://h/elsewhere
echo curl
"""


def test_a_shell_script_is_read(tmp_path):
    found = uses(tmp_path, CURL, "go.sh")
    assert calls(found) == ["pipelines.undeploy", "models.upload-and-convert"]
    assert locations(found, "pipelines.undeploy") == [
        "operation",
        "request.body.pipeline_id",
        "request.body.deployment_id",
        "request.content.application/json",
    ]
    assert "request.body.metadata.conversion.framework" in locations(found, "models.upload-and-convert")
    assert [use.detail for use in found if use.location == "request.body.file"] == ["ccfraud.onnx"]
    assert at(found, "operation") == ["go.sh:2", "go.sh:5"]


def test_curl_from_a_program_is_read(tmp_path):
    found = uses(
        tmp_path,
        """
        import os, subprocess
        os.system(f"curl {base}/v1/api/pipelines/copy -d '{json.dumps(x)}'")
        subprocess.run(["curl", "-X", "POST", base + "/v1/api/workspaces/list", "-d", "{}"], check=True)
        """,
    )
    assert calls(found) == ["pipelines.copy", "workspaces.list"]


def test_a_page_of_markdown_is_read_by_its_fences(tmp_path):
    page = """\
# Title
```python
u = f'{b}/v1/api/workspaces/list'
```
text
```bash
curl $B/v1/api/pipelines/copy -d '{}'
```
```json
{}
```
```python
requests.post(u, json={})
```
"""
    found = uses(tmp_path, page, "page.md")
    assert [(use.operation, use.place.line) for use in found if use.location == "operation"] == [
        ("pipelines.copy", 7),
        ("workspaces.list", 13),
    ]


def test_methods_of_the_sdk_are_the_operations_they_call(tmp_path):
    found = uses(
        tmp_path,
        """
        import wallaroo
        wl = wallaroo.Client(api_endpoint="https://api.example")
        wl.create_workspace("w")
        pipeline = wl.build_pipeline("p").add_model_step(wl.upload_model("m", "m.onnx", framework=Framework.ONNX))
        pipeline.deploy()
        result = pipeline.infer(frame)
        print(result["out.dense_1"], result["anomaly.count"], result["check_failures"])
        pipeline.undeploy()
        """,
    )
    assert calls(found) == [
        "workspaces.create",
        "pipelines.create",
        "models.upload-and-convert",
        "pipelines.create",
        "pipelines.deploy",
        "status.get-deployment",
        "pipelines.infer",
        "pipelines.undeploy",
        "status.get-deployment",
    ]
    assert {use.by for use in found} == {"sdk"}
    read = [use.location for use in found if use.location.startswith("response")]
    assert read == ["response.body[].out.dense_1", "response.body[].anomaly.count", "response.body[].check_failures"]


def test_the_generated_client_inside_the_sdk_is_known(tmp_path):
    found = uses(
        tmp_path,
        """
        from wallaroo.wallaroo_ml_ops_api_client.api.pipelines import pipelines_deploy
        from wallaroo.wallaroo_ml_ops_api_client.models import PipelinesDeployJsonBody
        pipelines_deploy.sync(client=c, json_body=PipelinesDeployJsonBody(deploy_id="p", pipeline_id=1))
        """,
    )
    assert locations(found, "pipelines.deploy") == ["operation", "request.body.deploy_id", "request.body.pipeline_id"]


@pytest.mark.parametrize(
    "text",
    [
        "deployment.deploy(); machine.status(); door.infer(1)",
        "requests.post('https://h/other/api/pipelines/create', json={})",
        "cache.get('/v1/api/pipelines/create')",
        "x = {'url': '/v1/api/pipelines/create'}",
        "requests.post(f'{b}/v1/api/models/list', json={})",
        "requests.get(f'{b}/v1/api/pipelines/create')",
    ],
)
def test_what_is_no_call_of_this_api_is_none(tmp_path, text):
    assert uses(tmp_path, text) == ()


def test_an_answer_that_goes_elsewhere_counts_as_used_whole_and_one_that_is_shown_does_not(tmp_path):
    found = uses(
        tmp_path,
        """
        shown = requests.post(f"{b}/v1/api/workspaces/list", json={}).json()
        display(shown); print(json.dumps(shown)); shown
        given = requests.post(f"{b}/v1/api/workspaces/create", json={}).json()
        library.keep(given)
        """,
    )
    assert [(use.operation, use.location) for use in found if use.whole] == [("workspaces.create", "response.body")]


def test_a_status_that_is_looked_at_is_seen(tmp_path):
    found = uses(tmp_path, 'r = requests.post(f"{b}/v1/api/workspaces/list")\nassert r.status_code == 200\n')
    assert "response.status" in locations(found, "workspaces.list")


def test_nothing_is_run(tmp_path):
    marker = tmp_path / "ran"
    uses(tmp_path, f"open({str(marker)!r}, 'w')\nimport os; os.system('touch {marker}')\nraise SystemExit(3)")
    assert not marker.exists()


def test_a_program_that_calls_itself_ends(tmp_path):
    found = uses(
        tmp_path,
        """
        def one(n): return two(n) or requests.post(f"{b}/v1/api/workspaces/list")
        def two(n): return one(n - 1)
        one(3)
        """,
    )
    assert "workspaces.list" in calls(found)


def test_a_har_shows_what_was_sent_and_that_it_was_answered(tmp_path):
    boundary = b'--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"name": "m"}\r\n'
    boundary += b'--x\r\nContent-Disposition: form-data; name="file"; filename="m.bin"\r\n\r\n123\r\n--x--\r\n'
    kept = [
        Exchange(
            Request("POST", "https://h/v1/api/pipelines/deploy?a=1", Headers({"X-A": "b"}), b'{"deploy_id": "p"}'),
            Response(200, body=b'{"id": 1}'),
        ),
        Exchange(Request("GET", "https://h/page"), Response(200)),
        Exchange(
            Request(
                "POST",
                "https://h/v1/api/models/upload_and_convert",
                Headers({"Content-Type": "multipart/form-data; boundary=x"}),
                boundary,
            ),
            None,
        ),
    ]
    file = tmp_path / "kept.har"
    file.write_text("{}")
    found = read_usage([file], DOCUMENT, lambda path: kept if path == file else []).uses
    assert locations(found, "pipelines.deploy") == [
        "operation",
        "request.body.deploy_id",
        "request.query.a",
        "request.header.X-A",
        "response.body",
    ]
    assert "request.body.metadata.name" in locations(found, "models.upload-and-convert")
    assert [use.detail for use in found if use.detail] == ["m.bin"]
    assert at(found, "operation") == ["kept.har, entry 1", "kept.har, entry 3"]


def test_a_folder_is_read_without_what_is_hidden_or_of_another_kind(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("a/one.py", ".hidden/two.py", "three.txt"):
        (tmp_path / name).write_text('requests.post("/v1/api/workspaces/list")')
    usage = read_usage([tmp_path], DOCUMENT, nothing)
    assert [Path(name).name for name in usage.files] == ["one.py"]
    assert usage.operations == ("workspaces.list",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ipynb", b"{"),
        ("b.ipynb", b"[]"),
        ("c.py", b"\xff\xfe\x00"),
        ("d.txt", b""),
        ("missing.py", None),
        ("empty", None),
    ],
)
def test_a_file_that_cannot_be_read_ends_in_a_sentence(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    elif name == "empty":
        (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match=r"\.$"):
        read_usage([tmp_path / name], DOCUMENT, nothing)


def test_code_that_is_not_python_is_said_and_the_rest_is_read(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nCopy a pipeline.\n```\n```python\nrequests.post(b + '/v1/api/pipelines/copy')\n```\n")
    usage = read_usage([page], DOCUMENT, nothing)
    assert usage.notes == (f"{page}:2 is not valid Python and was skipped.",)
    assert usage.operations == ("pipelines.copy",)


@pytest.mark.parametrize("text", ["x = " + " + ".join(["1"] * 20_000), "x = " + "(" * 400 + ")" * 400])
def test_code_nested_beyond_reading_is_passed_over_with_a_note(tmp_path, text):
    file = tmp_path / "deep.py"
    file.write_text(text)
    (note,) = read_usage([file], DOCUMENT, nothing).notes
    assert "was skipped" in note


SEED = Path(__file__).parents[3] / "shared" / "seed-tutorial.md"


@pytest.mark.skipif(not SEED.is_file(), reason="the tutorial is not beside the checkout")
def test_the_tutorial_uses_every_operation_but_the_workspaces(tmp_path):
    usage = read_usage([SEED], DOCUMENT, nothing)
    every = {one.id for one in DOCUMENT.operations}
    assert every - set(usage.operations) == {"workspaces.create", "workspaces.list"}
    assert sum(use.location == "operation" for use in usage.uses) == 18


WRAPPED = {
    "a path as an argument": """
        import requests
        BASE = input()
        def post(path, payload):
            return requests.post(BASE + path, json=payload).json()
        def main():
            made = post("/pipelines/undeploy", {"deployment_id": 3})
        main()
        """,
    "a method of a class": """
        import os, requests
        class Api:
            def __init__(self, base):
                self.base = base
            def post(self, path, **body):
                return self._send("POST", path, body)
            def _send(self, method, path, body):
                return requests.request(method, f"{self.base}/{path}", json=body).json()
        api = Api(os.environ["URL"] + "/v1/api")
        api.post("pipelines/undeploy", deployment_id=3)
        """,
    "a lambda": """
        import os, requests
        post = lambda url, body: requests.post(url, json=body)

        base = os.environ.get("API", "https://h.example/v1/api")



        post(f"{base}/pipelines/undeploy", {"deployment_id": 3})
        """,
    "functools.partial": """
        import requests
        from functools import partial
        def send(url, data):
            return requests.post(url, json=data)



        undeploy = partial(send, "https://h.example/v1/api/pipelines/undeploy")
        undeploy({"deployment_id": 3})
        """,
}


@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED.keys())
def test_a_url_that_comes_as_an_argument_is_followed(tmp_path, text):
    found = uses(tmp_path, text)
    assert calls(found) == ["pipelines.undeploy"]
    assert locations(found, "pipelines.undeploy")[1] == "request.body.deployment_id"
    line = next(i for i, one in enumerate(dedent(text).splitlines(), 1) if "undeploy" in one)
    (field,) = at(found, "request.body.deployment_id")
    assert int(field.rpartition(":")[2]) in (line, line + 1)


def test_a_call_is_at_the_line_that_names_the_operation_and_a_field_at_the_line_that_reads_it(tmp_path):
    found = uses(
        tmp_path, WRAPPED["a path as an argument"].replace("        main()", "            made['x']\n        main()")
    )
    assert at(found, "operation") == ["script.py:7"]
    assert at(found, "response.body.x") == ["script.py:8"]


@pytest.mark.parametrize(
    ("name", "text", "file"),
    [
        ("s.sh", "curl -F file=@models/a.onnx https://h/v1/api/models/upload_and_convert", "a.onnx"),
        ("s.sh", "curl -F 'file=@a;filename=b.zip;type=x/y' https://h/v1/api/models/upload_and_convert", "b.zip"),
        ("s.sh", 'curl -F "file=@$MODEL" https://h/v1/api/models/upload_and_convert', ""),
        ("s.sh", "curl -F file=a.onnx https://h/v1/api/models/upload_and_convert", ""),
        ("s.py", "requests.post(U, files={'file': open('m/a.onnx', 'rb')})", "a.onnx"),
        ("s.py", "requests.post(U, files=[('file', open('m/a.onnx', 'rb'))])", "a.onnx"),
        ("s.py", "requests.post(U, files={'file': ('b.pt', open('m/a.onnx', 'rb'), 'x/y')})", "b.pt"),
        ("s.py", "import wallaroo\nwallaroo.Client().upload_model('m', 'm/a.onnx', F)", "a.onnx"),
    ],
)
def test_the_name_of_an_uploaded_file_is_what_the_form_says(tmp_path, name, text, file):
    before = "import requests\nU = 'https://h/v1/api/models/upload_and_convert'\n" if name.endswith(".py") else ""
    found = uses(tmp_path, before + text, name)
    assert {use.detail for use in found if use.location == "request.body.file"} == {file}


def test_what_the_sdk_sends_itself_is_nothing_for_its_caller_to_change(tmp_path):
    (tmp_path / "s.py").write_text(
        "import wallaroo\np = wallaroo.Client().build_pipeline('p')\n"
        "p.deploy()\nr = p.infer(x)\nr[0]['check_failures']\n"
    )
    way = upgrade("2023.4", "2026.1")
    narrow = narrowed(way.comparison, read_usage([tmp_path / "s.py"], DOCUMENT, nothing), way.unless)
    told = {one["location"]: one["becomes"] for one in usage_section(narrow, way.becomes).value["calls"]}
    assert "the SDK does this itself" in told["request.body.models[].version"]
    assert "anomaly" in told["response.200.body[].check_failures"]
