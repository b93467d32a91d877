"""Requirements as labels where Allure is installed, and nothing at all where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from conformance.reporting import allure


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    allure.installed.cache_clear()
    yield
    allure.installed.cache_clear()


def test_without_allure_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    allure.label(["pipelines.create.returns-id"])
    assert "allure" not in sys.modules


def test_each_requirement_is_labelled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    labels: list[tuple[str, str]] = []
    fake = SimpleNamespace(dynamic=SimpleNamespace(label=lambda kind, value: labels.append((kind, value))))
    monkeypatch.setitem(sys.modules, "allure", fake)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    allure.label(["a.b", "a.c", "a.b"])
    assert labels == [("requirement", "a.b"), ("requirement", "a.c")]
