"""Descriptions are valid, or it is said where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance import data
from conformance.errors import UsageError
from conformance.spec.document import flaws

GOOD: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}


def written(tmp_path: Path, content: Any, name: str = "api.json") -> Path:
    (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return tmp_path / name


def test_our_own_description_is_valid() -> None:
    assert list(flaws(data.SPECS / "pipelines.openapi.yaml")) == []


@pytest.mark.parametrize("release", ["3.0.3", "3.1.1"])
def test_both_releases_are_known(release: str, tmp_path: Path) -> None:
    assert list(flaws(written(tmp_path, {**GOOD, "openapi": release}))) == []
    assert list(flaws(written(tmp_path, {"openapi": release, "paths": {}})))


def test_a_flaw_says_where_it_is(tmp_path: Path) -> None:
    operation = {"operationId": "x", "responses": {"200": {"content": {}}}}
    (flaw, *_) = flaws(written(tmp_path, {**GOOD, "openapi": "3.0.3", "paths": {"/x": {"get": operation}}}))
    assert flaw.where.startswith("paths")


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("a: [", "api.yaml", "neither YAML nor JSON"),
        ("{", "api.json", "neither YAML nor JSON"),
        ("[]", "api.json", "its `openapi` is missing"),
        ({"swagger": "2.0"}, "api.json", "its `openapi` is missing"),
        ({**GOOD, "openapi": "4.0"}, "api.json", r"its `openapi` is 4\.0"),
    ],
)
def test_what_is_no_description_is_refused_in_a_sentence(content: Any, name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        list(flaws(written(tmp_path, content, name)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"api\.yaml cannot be read"):
        list(flaws(tmp_path / "api.yaml"))
