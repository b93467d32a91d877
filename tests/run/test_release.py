"""An instance of another release than it is judged as is pointed out, and a single defect is not taken for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from conformance.run.release import MOST_REQUESTS, answers_as_another, identify, served_as_another
from conformance.spec.document import Document, profiles
from conformance.spec.requirements import load
from conformance.targets.emulated import emulated_at, emulator_process
from conformance.targets.target import Target

GONE = ["pipelines.copy.serves-valid-requests", "pipelines.undeploy.returns-nothing"]


def test_a_description_of_the_other_release_names_it() -> None:
    sentence = served_as_another("2023.4", "served", Document.load("2026.1").raw)
    assert "matches release 2026.1" in sentence
    assert "--profile 2026.1" in sentence
    assert "matches release 2023.4" in served_as_another("2026.1", "served", Document.load("2023.4").raw)


def test_a_description_of_neither_release_names_none() -> None:
    assert served_as_another("2023.4", "served", {"openapi": "3.1.0", "info": {}, "paths": {}}) == ""


def test_answers_of_the_other_release_name_it() -> None:
    sentence = answers_as_another("2023.4", GONE)
    assert "release 2026.1 changed" in sentence
    assert "--profile 2026.1" in sentence


def test_a_defect_of_one_operation_is_not_taken_for_another_release() -> None:
    assert answers_as_another("2023.4", ["pipelines.undeploy.returns-nothing"]) == ""
    assert answers_as_another("2023.4", ["pipelines.copy.serves-valid-requests"]) == ""


def test_what_no_release_changed_is_broken_and_nothing_else() -> None:
    unchanged = next(row.id for row in load("2023.4") if row.operation == "workspaces.list")
    assert answers_as_another("2023.4", [*GONE, unchanged]) == ""


@contextmanager
def instance(*options: str) -> Iterator[Target]:
    with emulator_process(options) as url:
        target = emulated_at(url, Document.load())
        try:
            yield target
        finally:
            target.close()


@pytest.mark.parametrize("release", profiles())
def test_each_release_is_named_by_at_most_five_requests(release: str) -> None:
    with instance("--profile", release, "--vary", "7") as target:
        found = identify(target)
    assert found.releases == (release,)
    assert found.sure == "sure"
    assert target.requests <= MOST_REQUESTS


def silent(status: int) -> Target:
    client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(status)))
    return Target("live", "http://127.0.0.1:1", client, Document.load().match)


def test_an_instance_that_refuses_every_get_alike_is_not_guessed_at() -> None:
    assert identify(silent(403)).sure == "no answer distinguishes the releases"


def test_an_instance_with_every_operation_contradicts_every_release() -> None:
    found = identify(silent(405))
    assert found.releases == ()
    assert found.sure == "the answers contradict each other"
