"""Every recording, sent to the emulated instances of the releases it can be of: fixtures/README.md says what came."""

from __future__ import annotations

import os

import pytest

from conformance.data import FIXTURES
from conformance.recording import folder
from conformance.spec.document import Document, profiles
from tests.oracles.certificate import (
    PUBLISHED,
    Certified,
    certificate,
    certify,
    explained,
    explanations,
    name_of,
    unexplained,
)

README = FIXTURES / "README.md"
KNOWN = explanations(PUBLISHED / "explained.toml")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Certified]:
    model = (FIXTURES / "models" / "fraud.onnx").read_bytes()
    places = [FIXTURES / "recordings", PUBLISHED]
    return certify(places, model, KNOWN, tmp_path_factory.mktemp("journal"), releases=profiles())


def test_every_recording_is_reproduced_or_explained_row_by_row(rows: list[Certified]) -> None:
    document = Document.load()
    assert len(rows) == sum(len(folder.read(place, document)) for place in (FIXTURES / "recordings", PUBLISHED))
    assert {name_of(row.recording): unexplained(row, KNOWN) for row in rows if unexplained(row, KNOWN)} == {}


def test_every_explanation_explains_something(rows: list[Certified]) -> None:
    used = {
        entry.id for row in rows for told in row.differences for entry in KNOWN if entry.covers(row.recording, told)
    }
    assert used == {entry.id for entry in KNOWN}


def test_the_fixtures_readme_holds_the_certificate(rows: list[Certified]) -> None:
    emulated = folder.read(FIXTURES / "emulated", Document.load())
    reached: dict[str, list[int]] = {}
    for operation, status in sorted({(e.operation, e.status) for e in (one.exchange for one in emulated)}, key=str):
        if operation and status:
            reached.setdefault(operation, []).append(status)
    text = README.read_text(encoding="utf-8")
    for name, made in (("certificate", certificate(rows, KNOWN, reached)), ("explained", explained(rows, KNOWN))):
        before, begin, rest = text.partition(f"<!-- begin: {name} -->\n")
        _, end, after = rest.partition(f"<!-- end: {name} -->\n")
        assert begin, name
        assert end, name
        text = before + begin + made + end + after
    if os.environ.get("README") == "write":
        README.write_text(text, encoding="utf-8")
    assert README.read_text(encoding="utf-8") == text
