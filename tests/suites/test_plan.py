"""What the lifecycle deploys and refuses is written out, and covers what the catalogue promises."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from conformance import data
from conformance.api.tensors import expected_outputs
from conformance.spec.document import Document
from conformance.spec.requirements import load
from conformance.suites.model import Model
from conformance.suites.plan import AGAIN, MOST_ON_LIVE, ON_LIVE, PLAN
from conformance.suites.refusals import REFUSALS
from conformance.suites.requests import OPERATIONS, plain_request
from tests.measured import apart, deployed_on_live

SAMPLE = next(iter(sorted((data.FIXTURES / "models").glob("*.onnx"))), Path("none"))


def test_a_live_target_is_asked_for_no_more_deployments_than_eight() -> None:
    assert len({planned.key for planned in PLAN}) == len(PLAN)
    assert AGAIN in {planned.key for planned in PLAN if planned.live}
    assert ON_LIVE <= MOST_ON_LIVE == 8


def test_every_refusal_is_of_a_row_and_every_row_of_a_refusal_is_tried() -> None:
    rows = {row.id for row in load() if row.check == "status.invalid_is_refused"}
    elsewhere = {
        "pipelines.deploy.refuses-models-of-another-workspace",
        "pipelines.undeploy.refuses-ids-that-are-not-of-one-another",
    }
    tried = {str(refusal) for refusal in REFUSALS}
    assert tried <= rows
    assert {row for row in rows - tried if not row.endswith("refuses-another-media-type")} == elsewhere


def test_a_plain_request_is_of_its_operation() -> None:
    document = Document.load()
    for operation in OPERATIONS:
        request = plain_request(operation, lambda name: f"x-{name}", 10)
        matched = document.match(request.method, request.url)
        assert matched is not None
        assert matched[0].id == operation
    assert set(OPERATIONS) == {operation.id for operation in document.operations}


def test_the_second_model_computes_the_first_ones_outputs_negated() -> None:
    model = Model.read(SAMPLE)
    rows = np.asarray(model.rows(5))
    first, second = (expected_outputs(content, rows) for content in (model.content, model.negated()))
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(second, -first)
    assert hashlib.sha256(model.negated()).digest() != hashlib.sha256(model.content).digest()


def test_a_whole_run_makes_as_many_deployments_of_a_live_target_as_it_says_beforehand() -> None:
    made, verdict = apart(deployed_on_live)
    assert made == ON_LIVE
    assert verdict == "conformant"
