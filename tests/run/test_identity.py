"""An instance is told which release it speaks, by reads alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from conformance.run.identity import MOST_REQUESTS, identify
from conformance.spec.document import Document, profiles
from conformance.targets.emulated import emulated_at, emulator_process
from conformance.targets.target import Target


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
    assert identify(silent(403)).sure == "nothing that was asked tells the releases apart"


def test_an_instance_with_every_operation_contradicts_every_release() -> None:
    found = identify(silent(405))
    assert found.releases == ()
    assert found.sure == "the evidence contradicts itself"
