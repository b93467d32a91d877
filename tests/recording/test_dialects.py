"""Small captures as tools write them, of conformant traffic or of none, and the verdict each must have."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from conformance.checks import Rules
from conformance.errors import UsageError
from conformance.recording.judgement import Tally, judge_traffic
from conformance.recording.traffic import read
from tests.recording.test_har import DATE, entry, written

DEPLOY = b'{"id":14}'


def judged(path: Path, rules: Rules) -> Tally:
    return judge_traffic(read([path], rules.document), rules)


def held(tally: Tally) -> set[str]:
    return {requirement for requirement, _ in tally.held}


def undeploy(**changes: Any) -> dict[str, Any]:
    asked = {"text": '{"pipeline_id":3,"deployment_id":14}'}
    return entry("/v1/api/pipelines/undeploy", post=asked, **changes)


def test_text_said_to_be_base64_that_is_not_is_the_text(tmp_path: Path, rules: Rules) -> None:
    raw = undeploy(content={"text": "null", "encoding": "base64", "size": 4}, response={"bodySize": -1})
    tally = judged(written(tmp_path, raw, creator="Firefox"), rules)
    assert not tally.broken
    assert "pipelines.undeploy.returns-nothing" in held(tally)


def test_an_arrow_body_that_was_not_kept_is_unknown(tmp_path: Path, rules: Rules) -> None:
    arrow = "application/vnd.apache.arrow.file"
    fields = [{"name": "Content-Type", "value": arrow}, {"name": "Accept", "value": arrow}]
    answer = [{"name": "content-type", "value": arrow}, {"name": "date", "value": DATE},
              {"name": "content-length", "value": "722"}]  # fmt: skip
    raw = entry("/v1/api/pipelines/infer/p-1/p", content={"text": None, "size": 722, "mimeType": arrow},
                request={"headers": fields}, response={"headers": answer})  # fmt: skip
    tally = judged(written(tmp_path, raw), rules)
    assert not tally.broken
    assert not tally.incident
    assert "pipelines.infer.answers-arrow-in-arrow" not in held(tally)


@pytest.mark.parametrize("fields", [[], None, [{"name": "Content-Type", "value": "application/json"}]])
def test_of_headers_that_were_left_out_nothing_is_claimed(fields: Any, tmp_path: Path, rules: Rules) -> None:
    tally = judged(written(tmp_path, undeploy(content={"text": "null"}, response={"headers": fields})), rules)
    assert not tally.broken
    assert held(tally)
    assert "pipelines.undeploy.says-when-it-answered" not in held(tally)


def test_an_upload_written_as_characters_has_the_sha_of_its_bytes(tmp_path: Path, rules: Rules) -> None:
    file = bytes(range(256))
    form = (
        b'--x\r\nContent-Disposition: form-data; name="metadata"\r\nContent-Type: application/json\r\n\r\n'
        b'{"name":"m","workspace_id":1}\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + file + b"\r\n--x--\r\n"
    )
    fields = [{"name": "Content-Type", "value": "multipart/form-data; boundary=x"},
              {"name": "Content-Length", "value": str(len(form))}]  # fmt: skip
    sha = hashlib.sha256(file).hexdigest()
    row = {"sha": sha, "models_pk_id": 4, "model_version": "000ddbaf-cb7b-4e3b-bdcb-ca00ec087781", "owner_id": "o",
           "model_id": "m", "id": 6, "file_name": "m.onnx", "image_path": None, "status": "ready"}  # fmt: skip
    made = {"insert_models": {"returning": [{"models": [{"id": 6}]}]}}

    def capture(text: str) -> Tally:
        post, sent = {"text": text, "mimeType": fields[0]["value"]}, {"headers": fields, "bodySize": len(form)}
        upload = entry("/v1/api/models/upload_and_convert", post=post, request=sent, content={"text": json.dumps(made)})
        listed = entry("/v1/api/models/list_versions", "2024-01-01T10:00:01Z", post={"text": '{"model_id":"m"}'},
                       content={"text": json.dumps([row])})  # fmt: skip
        return judged(written(tmp_path, upload, listed, creator="mitmproxy"), rules)

    whole = capture(form.decode("latin-1"))
    assert "models.list-versions.sha-is-of-the-uploaded-bytes" in held(whole)
    lossy = capture(form.decode("utf-8", "replace"))
    assert "models.list-versions.sha-is-of-the-uploaded-bytes" not in held(lossy)
    assert not any("sha" in finding.requirement for tally in (whole, lossy) for finding in tally.broken.values())


@pytest.mark.parametrize(
    "response", [{"status": 0, "_error": "net::ERR_CONNECTION_REFUSED", "headers": []}, {"status": "200"}, None]
)
def test_a_capture_without_an_answer_is_no_verdict(response: Any, tmp_path: Path, rules: Rules) -> None:
    raw = entry(response=response or {})
    if response is None:
        del raw["response"]
    tally = judged(written(tmp_path, raw), rules)
    assert tally.incident.startswith("No promise was judged")


def attached(tmp_path: Path, body: bytes, name: str = "") -> Path:
    name = name or hashlib.sha1(DEPLOY, usedforsecurity=False).hexdigest() + ".json"
    raw = entry(content={"text": None, "size": len(DEPLOY), "_file": name})
    raw["response"]["content"].pop("text")
    har = written(tmp_path, raw, creator="Playwright")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(har, "har.har")
        archive.writestr(name, body)
    return tmp_path / "x.zip"


BODY = "pipelines.deploy.answers-with-the-described-body"


def test_a_body_attached_in_an_archive_is_read(tmp_path: Path, rules: Rules) -> None:
    assert BODY in held(judged(attached(tmp_path, DEPLOY), rules))


@pytest.mark.parametrize(("body", "name"), [(b'{"id":15}', ""), (b'{"id"', "x.json"), (DEPLOY, "../x.json")])
def test_an_attached_body_that_is_another_is_unknown(body: bytes, name: str, tmp_path: Path, rules: Rules) -> None:
    assert BODY not in held(judged(attached(tmp_path, body, name), rules))


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("bom.har", lambda raw: b"\xef\xbb\xbf" + raw),
        ("wide.har", lambda raw: raw.decode().encode("utf-16")),
        ("wide-be.har", lambda raw: b"\xfe\xff" + raw.decode().encode("utf-16-be")),
        ("bare.har", lambda raw: raw.decode().encode("utf-16-le")),
        ("x.har.gz", gzip.compress),
        ("x.zhar", zlib.compress),
    ],
)
def test_files_in_other_encodings_are_read(name: str, packed: Any, tmp_path: Path, rules: Rules) -> None:
    raw = written(tmp_path, entry()).read_bytes()
    (tmp_path / "some.har").unlink()
    (tmp_path / name).write_bytes(packed(raw))
    tally = judged(tmp_path / name, rules)
    assert BODY in held(tally)
    assert judged(tmp_path, rules).held == tally.held


def test_a_folders_other_files_are_passed_over_and_said(tmp_path: Path, rules: Rules) -> None:
    written(tmp_path, entry())
    (tmp_path / "tsconfig.json").write_text('// notes\n{"a": 1}', encoding="utf-8")
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    said: list[str] = []
    assert BODY in held(judge_traffic(read([tmp_path], rules.document, said.append), rules))
    assert [sentence.removeprefix(f"{tmp_path}/") for sentence in said] == [
        "empty.json is empty, and so is not JSON",
        "package.json is neither a HAR nor a recording",
        "tsconfig.json is not JSON, or is cut short",
    ]


@pytest.mark.parametrize(
    ("name", "content"), [("x.har.gz", b"\x1f\x8b\x08cut"), ("x.zip", b"PK\x03\x04cut"), ("x.zhar", b"\x78\x9ccut")]
)
def test_an_archive_that_cannot_be_unpacked_is_a_sentence(
    name: str, content: bytes, tmp_path: Path, rules: Rules
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read or unpacked"):
        judged(tmp_path / name, rules)


def test_a_default_port_and_a_trailing_dot_are_the_same_instance(tmp_path: Path, rules: Rules) -> None:
    hosts = ("demo.acme.dev", "demo.acme.dev:443", "demo.acme.dev.", "DEMO.api.acme.dev.:443")
    entries = [entry(request={"url": f"https://{host}/v1/api/pipelines/deploy"}) for host in hosts]
    path = written(tmp_path, *entries)
    assert [name for name, exchanges in read([path], rules.document) if list(exchanges)] == [f"{path} (demo.acme.dev)"]


def test_a_finding_names_its_file_and_entry(tmp_path: Path, rules: Rules) -> None:
    path = written(tmp_path, entry(), entry(content={"text": '{"id":"14"}'}))
    finding = next(iter(judged(path, rules).broken.values()))
    assert finding.evidence[-1].source == f"{path}, entry 2 (log.entries[1])"


def test_one_whose_end_is_unknown_may_overlap_all_that_follow(tmp_path: Path, rules: Rules) -> None:
    asked = {"text": '{"deploy_id":"p","pipeline_id":1,"pipeline_version_pk_id":2}'}
    again = {"start": "2024-01-01T10:00:01Z", "post": asked, "content": {"text": '{"id":15}'}}
    same = "pipelines.deploy.again-returns-the-same-id"
    for time, told in ((12.5, True), (0, False), (-1, False), (None, False)):
        path = written(tmp_path, entry(post=asked, time=time), entry(**again))
        assert (same in {finding.requirement for finding in judged(path, rules).broken.values()}) == told
