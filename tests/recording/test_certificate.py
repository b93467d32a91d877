"""Every recorded request, sent to the emulated instance in order: the answers agree, and the certificate says so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.api.client import PipelineClient
from conformance.checks import Rules
from conformance.data import FIXTURES
from conformance.model import Response
from conformance.recording import folder
from conformance.recording.traffic import ordered
from conformance.run.session import Session
from conformance.targets.emulated import emulated_at, emulator_process
from tests.oracles.certificate import Reproduction, certificate, reproduce
from tests.oracles.comparison import Aspect
from tests.oracles.identities import Identities

SHARED = Path(__file__).resolve().parents[3] / "shared" / "models" / "ccfraud.onnx"
MODELS = [FIXTURES / "models" / "fraud.onnx", SHARED]
NAME, VERSION = "api-sample-model", "bdfc8c60-b5bc-4c0e-aa87-157cd52895b6"
SHA = "bc85ce596945f876256f41515c7501c399fd97ebcb9ab3dd41bf03f8937b4507"


@pytest.fixture(scope="module", params=MODELS, ids=lambda path: path.stem)
def reproductions(request: pytest.FixtureRequest) -> Iterator[tuple[Reproduction, ...]]:
    """With our own model, whose sha stands for the tutorial's, and with the tutorial's own where it is at hand."""
    if not request.param.is_file():
        pytest.skip("the tutorial's model is not here")
    rules = Rules.of()
    recordings = folder.read(FIXTURES / "recordings", rules.document)
    told = ordered(recording for recording in recordings if recording.session)
    with emulator_process() as url:
        target = emulated_at(url, rules.document)
        client = PipelineClient(Session(target, rules).send)
        content = request.param.read_bytes()
        version_id = client.upload_model(NAME, 10, content).value
        row = next(row for row in client.list_model_versions(model_id=NAME).value if row["id"] == version_id)
        identities = Identities().learn("model_version", VERSION, row["model_version"])
        identities = identities.learn("sha", SHA, hashlib.sha256(content).hexdigest())
        others = (recording for recording in recordings if not recording.session)
        yield reproduce([*told, *others], target.send, url, identities)
        target.close()


def test_every_recorded_behaviour_is_reproduced(reproductions: tuple[Reproduction, ...]) -> None:
    assert len(reproductions) >= 12
    assert [(r.recording.name, r.differences) for r in reproductions if r.differences] == []
    assert all(r.agrees(aspect) for r in reproductions for aspect in Aspect if aspect is not Aspect.MEDIA_TYPE)


def test_a_difference_would_show(reproductions: tuple[Reproduction, ...]) -> None:
    one = reproductions[0]
    wrong = replace(one.recording.exchange, response=Response(500, body=b"{}"))
    (changed,) = reproduce([replace(one.recording, exchange=wrong)], lambda _: one.observed, "http://x", Identities())
    assert changed.agrees(Aspect.STATUS) is False
    assert "**differs**" in certificate([changed], [])


def test_the_fixtures_readme_holds_the_certificate(reproductions: tuple[Reproduction, ...]) -> None:
    emulated = folder.read(FIXTURES / "emulated", Rules.of().document)
    reached = [(e.operation, e.status) for e in (r.exchange for r in emulated) if e.operation and e.status]
    assert certificate(reproductions, reached) in (FIXTURES / "README.md").read_text(encoding="utf-8")
