from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.drift.changes import Change, Comparison
from conformance.drift.sources.collection import (
    comparison_of,
    drift_from_ours,
    fetch_through,
    narrowed,
    release_source,
    sdk_source,
    served_source,
    source_of,
    upgrade,
)
from conformance.drift.usage import Place, Usage, Use, read_usage
from conformance.errors import UsageError
from conformance.model import Exchange, Request, Response
from conformance.spec.document import Document

from .generated_clients import OLDER, RELEASES, SDKS, real, unpack

SPEC = Document.load("2023.4")


def changed(comparison: Comparison) -> dict[tuple[str | None, str, str], Change]:
    return {(change.operation, change.location, change.kind): change for change in comparison.changes}


def test_the_way_from_2023_4_to_2026_1_breaks_exactly_these():
    way = upgrade("2023.4", "2026.1")
    assert {(one.operation, one.location) for one in way.comparison.changes if one.breaking} == {
        ("pipelines.copy", "operation"),
        ("pipelines.undeploy", "response.200.body"),
        ("pipelines.deploy", "request.body.models[].version"),
        ("pipelines.infer", "response.200.body[].check_failures"),
        ("pipelines.infer", "response.500.body"),
        ("models.upload-and-convert", "request.body.metadata.registry_id"),
        ("models.upload-and-convert", "request.body.file"),
    }
    assert way.comparison.sources == {"base": "release 2023.4", "revision": "release 2026.1"}
    assert way.comparison.verdict == "breaking"


def test_every_breaking_change_of_an_upgrade_says_what_a_call_must_become():
    way = upgrade("2023.4", "2026.1")
    general = ("Send what is still", "Be ready for", "Do without", "Meet what")
    for change in way.comparison.changes:
        if change.breaking:
            assert not way.becomes[change.id].startswith(general)


def test_what_did_not_change_between_the_releases_is_not_told():
    operations = {change.operation for change in upgrade("2023.4", "2026.1").comparison.changes if change.breaking}
    assert not operations & {"pipelines.create", "models.list-versions", "workspaces.create", "workspaces.list"}


def test_the_way_back_is_not_the_way_forth():
    back = changed(upgrade("2026.1", "2023.4").comparison)
    assert ("pipelines.copy", "operation", "operation-added") in back
    behaviour = back["models.upload-and-convert", "request.body.file", "request-behaviour-changed"]
    assert (behaviour.breaking, behaviour.message[:12]) == (False, "No longer so")


def test_a_release_compared_with_itself_did_not_change():
    assert upgrade("2026.1", "2026.1").comparison.verdict == "none"


def test_a_release_there_is_no_profile_of_ends_in_a_sentence():
    with pytest.raises(UsageError, match="1999"):
        upgrade("1999.1", "2026.1")


@pytest.fixture
def tutorial(tmp_path: Path) -> Usage:
    file = tmp_path / "work.py"
    file.write_text(
        "import requests\n"
        "data = {'deploy_id': 'p', 'models': [{'name': 'm', 'version': '1', 'sha': 's'}]}\n"
        "requests.post(b + '/v1/api/pipelines/deploy', json=data)\n"
        "records = requests.post(b + '/v1/api/pipelines/infer/p-1/p', json=rows).json()\n"
        "print(records[0]['out'])\n"
        "files = {'file': ('m.onnx', f), 'metadata': (None, json.dumps({'name': 'm'}))}\n"
        "requests.post(b + '/v1/api/models/upload_and_convert', files=files)\n"
    )
    return read_usage([file], SPEC, lambda path: [])


def test_an_upgrade_is_narrowed_to_what_the_files_touch(tutorial: Usage):
    way = upgrade("2023.4", "2026.1")
    narrow = narrowed(way.comparison, tutorial, way.unless)
    breaking = {(one.change.operation, one.change.location) for one in narrow.concerns if one.change.breaking}
    assert breaking == {("pipelines.deploy", "request.body.models[].version"), ("pipelines.infer", "response.500.body")}
    rest = {(one.operation, one.location) for one in narrow.not_seen if one.breaking}
    assert ("pipelines.copy", "operation") in rest
    assert ("pipelines.infer", "response.200.body[].check_failures") in rest
    assert ("models.upload-and-convert", "request.body.file") in rest
    assert len(narrow.concerns) + len(narrow.not_seen) == len(way.comparison.changes)


def change(location: str, kind: str = "request-type-changed", breaking: bool = True, operation: str = "a.b") -> Change:
    return Change(operation, location, kind, kind.partition("-")[0], breaking, False, "It changed.")


def use(location: str, *, whole: bool = False, by: str = "http", detail: str = "") -> Use:
    return Use("a.b", location, Place("f.py", 1), by, whole, detail)


CALL = use("operation")


@pytest.mark.parametrize(
    ("uses", "one", "concerned"),
    [
        ([CALL], change("operation", "operation-removed"), True),
        ([CALL], change("security", "security-tightened"), True),
        ([CALL], change("operation", operation="c.d"), False),
        ([CALL, use("request.body.x")], change("request.body.x"), True),
        ([CALL, use("request.body.x")], change("request.body.y"), False),
        ([CALL, use("request.body.x")], change("request.body.xy"), False),
        ([CALL, use("request.body.x"), use("request.body.x.z")], change("request.body.x"), True),
        ([CALL, use("request.body.x"), use("request.body.x.z")], change("request.body.x.y"), False),
        ([CALL, use("request.body.x")], change("request.body.x.y"), True),
        ([CALL], change("request.body.new", "request-required-property-added"), True),
        ([CALL], change("request.body.old", "request-property-became-required"), True),
        ([CALL], change("request.body", "request-type-changed"), True),
        ([CALL, use("request.content.text/csv")], change("request.content.application/json"), False),
        ([CALL, use("request.content.text/csv; a=b")], change("request.content.text/csv"), True),
        ([CALL], change("request.content.application/json"), True),
        ([CALL], change("request.query.q"), False),
        ([CALL, use("request.query.q")], change("request.query.q"), True),
        ([CALL], change("response.200.body", "response-type-changed"), True),
        ([CALL], change("response.200.body.id", "response-type-changed"), False),
        ([CALL, use("response.body.id")], change("response.200.body.id", "response-type-changed"), True),
        ([CALL, use("response.body[].id")], change("response.200.body[].id", "response-type-changed"), True),
        ([CALL, use("response.body.a.b")], change("response.2XX.body.a", "response-type-changed"), True),
        ([CALL, use("response.body.a")], change("response.200.body.a.b", "response-type-changed"), False),
        ([CALL, use("response.body.a", whole=True)], change("response.200.body.a.b", "response-type-changed"), True),
        ([CALL], change("response.418", "response-status-added", breaking=False), False),
        ([CALL, use("response.status")], change("response.418", "response-status-added", breaking=False), True),
        ([CALL], change("response.200", "response-success-status-removed"), True),
        ([use("operation", by="sdk")], change("response.200.body.a", "response-type-changed"), True),
        ([use("operation", by="sdk")], change("response.200.body.a", "response-property-added", breaking=False), False),
    ],
)
def test_which_changes_concern_which_uses(uses: list[Use], one: Change, concerned: bool):
    usage = Usage(("f.py",), tuple(uses), ())
    narrow = narrowed(Comparison((one,)), usage)
    assert bool(narrow.concerns) is concerned
    assert narrow.comparison.changes == ((one,) if concerned else ())
    assert narrow.not_seen == (() if concerned else (one,))


def test_a_file_name_that_is_known_to_pass_is_not_concerned():
    one = change("request.body.file", "request-behaviour-changed")
    for name, concerned in (("m.onnx", False), ("m", True), ("", True)):
        usage = Usage((), (CALL, use("request.body.file", detail=name)), ())
        assert bool(narrowed(Comparison((one,)), usage, {one.id: r"\.onnx$"}).concerns) is concerned


def client(tmp_path: Path, name: str, files: dict[str, str]) -> Path:
    return unpack(tmp_path / name, files)


UNDEPLOY = """
    from ...models.body import Body
    from ...models.answer import Answer
    from ...models.trouble import Trouble

    def _get_kwargs(*, client, json_body: Body):
        url = "{}/v1/api/pipelines/undeploy".format(client.base_url)
        json_json_body = json_body.to_dict()
        return {"method": "post", "url": url, "json": json_json_body}

    def _parse_response(*, response):
        if response.status_code == 200:
            ANSWER
            return response_200
        if response.status_code == 400:
            response_400 = Trouble.from_dict(response.json())
            return response_400
"""
NULLABLE = "response_200: Optional[Answer]\n            response_200 = None"
BODY = """
    class Body:
        pipeline_id: Union[Unset, None, int] = UNSET
        deployment_id: Union[Unset, None, int] = UNSET
        additional_properties: Dict[str, Any] = attr.ib(init=False, factory=dict)
"""
ANSWER = "class Answer:\n    additional_properties: Dict[str, Any] = attr.ib(init=False, factory=dict)\n"


def sdk(answer: str) -> dict[str, str]:
    return {
        "api/undeploy.py": UNDEPLOY.replace("ANSWER", answer),
        "models/body.py": BODY,
        "models/answer.py": ANSWER,
        "models/trouble.py": OLDER["models/trouble.py"],
    }


def test_two_sdks_are_compared_under_our_names(tmp_path):
    old = client(tmp_path, "old", sdk(NULLABLE))
    new = client(tmp_path, "new", sdk("response_200 = Answer.from_dict(response.json())"))
    found = comparison_of(source_of(str(old), SPEC), source_of(str(new), SPEC))
    (one,) = found.changes
    assert (one.operation, one.location, one.kind) == (
        "pipelines.undeploy",
        "response.200.body",
        "response-nullable-tightened",
    )
    assert not one.breaking
    assert found.sources == {"base": "SDK 1.2.3", "revision": "SDK 1.2.3"}
    assert comparison_of(source_of(str(new), SPEC), source_of(str(old), SPEC)).verdict == "breaking"


def test_what_an_sdk_cannot_say_is_no_change(tmp_path):
    place = client(tmp_path, "one", sdk("response_200: None\n            response_200 = None"))
    found = comparison_of(release_source("2023.4"), sdk_source(place, SPEC))
    mine = [one for one in found.changes if one.operation == "pipelines.undeploy"]
    assert {one.kind for one in mine if one.breaking} == set()
    assert {one.location for one in found.changes if one.operation is None} == set()
    assert "pipelines.infer" not in {one.operation for one in found.changes}


def test_an_sdk_without_our_operations_ends_in_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="none of the operations"):
        source_of(str(client(tmp_path, "other", OLDER)), SPEC)


def test_a_folder_that_is_no_sdk_ends_in_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="no generated client"):
        source_of(str(tmp_path), SPEC)


def test_a_description_is_a_source(tmp_path):
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"openapi": "3.1.0", "info": {"title": "", "version": ""}, "paths": {}}))
    assert source_of(str(file), SPEC).document["paths"] == {}


class Sender:
    """Refuses without a token, and remembers what it was asked."""

    url = "https://h.example"

    def __init__(self, *statuses: int | None) -> None:
        self.statuses, self.asked = list(statuses), []

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        self.asked.append(authenticated)
        status = self.statuses.pop(0)
        return Exchange(request, Response(status) if status else None)


@pytest.mark.parametrize(
    ("statuses", "asked", "status"),
    [
        ((200,), [False], 200),
        ((401, 200), [False, True], 200),
        ((403, 404), [False, True], 404),
        ((None,), [False], None),
    ],
)
def test_a_token_is_shown_only_where_it_is_asked_for(statuses, asked, status):
    sender = Sender(*statuses)
    assert fetch_through(sender)("https://h.example/openapi.json").status == status
    assert sender.asked == asked


class Instance:
    """Serves a description at a usual place, to whoever asks."""

    url = "https://h.example"

    def __init__(self, document: object) -> None:
        self.body = json.dumps(document).encode()

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        there = request.url == f"{self.url}/v1/api/openapi.json"
        return Exchange(request, Response(200, body=self.body) if there else Response(404))


def test_what_an_instance_serves_is_compared_with_ours():
    described = json.loads(json.dumps(SPEC.raw))
    served = served_source(Instance(described))
    assert served is not None
    same = drift_from_ours(served, SPEC)
    assert same is not None
    assert same.verdict == "none"
    del described["paths"]["/v1/api/pipelines/copy"]
    del described["paths"]["/v1/api/pipelines/create"]["post"]["responses"]["200"]["links"]["copy"]
    lacking = served_source(Instance(described))
    assert lacking is not None
    other = drift_from_ours(lacking, SPEC)
    assert other is not None
    assert [one.operation for one in other.changes if one.breaking] == ["pipelines.copy"]
    assert served_source(Instance([])) is None


def history(old: str, new: str) -> dict[tuple[str | None, str, str], Change]:
    return changed(comparison_of(source_of(str(SDKS / old), SPEC), source_of(str(SDKS / new), SPEC)))


DEPLOY, PK = "pipelines.deploy", "request.body.pipeline_version_pk_id"
HISTORY = [
    ("2023.4.1", "2024.1.0", ("pipelines.copy", "operation", "operation-removed"), True),
    ("2023.4.1", "2024.1.0", ("pipelines.undeploy", "response.200.body", "response-nullable-tightened"), False),
    ("2024.1.0", "2024.2.0", (DEPLOY, "request.body.pipeline_id", "request-property-became-optional"), False),
    (
        "2024.1.0",
        "2024.2.0",
        (DEPLOY, PK, "request-property-became-optional"),
        False,
    ),
    ("2025.1.0", "2025.2.0.0", (DEPLOY, "request.body.models[].version", "request-format-tightened"), True),
]


@real
@pytest.mark.parametrize(("old", "new", "expected", "breaking"), HISTORY)
def test_the_history_of_this_api_is_found(old, new, expected, breaking):
    assert history(old, new)[expected].breaking is breaking


@real
def test_our_description_of_2023_4_is_the_vendors_but_for_what_recordings_refute():
    found = comparison_of(release_source("2023.4"), source_of(str(SDKS / "2023.4.1"), SPEC))
    breaking = {(one.operation, one.location) for one in found.changes if one.breaking}
    assert {one for one in breaking if one[0] != "status.get-deployment"} == {
        ("pipelines.create", "response.200.body.pipeline_variant_version"),
        ("pipelines.undeploy", "response.200.body"),
    }


@real
def test_releases_without_a_change_to_these_operations_have_none():
    assert history("2022.4.0", "2022.4.0") == {}
    assert len(RELEASES) == 7
