"""An instance of one release, judged by its own promises and by another's: what changed is told, and nothing else."""

from __future__ import annotations

from functools import partial

import pytest

from conformance.checks import Rules
from conformance.run.scope import lacks
from conformance.suites.test_replayed import _releases
from tests.measured import Seen, apart, seen_with

SUITES = ("lifecycle", "refusals")

GONE_OF_THE_OLDER = {
    "pipelines.copy.serves-valid-requests",
    "pipelines.undeploy.returns-nothing",
    "pipelines.infer.tells-each-records-check-failures",
    "pipelines.infer.tells-each-arrow-rows-check-failures",
    "pipelines.infer.refuses-with-the-described-body",
    "pipelines.deploy.requires-pipeline-id",
    "pipelines.deploy.requires-pipeline-version-pk-id",
    "models.upload-and-convert.takes-any-file-name",
}
NEW_OF_THE_NEWER = {
    "pipelines.undeploy.answers-with-an-object",
    "pipelines.infer.tells-each-records-anomaly",
    "pipelines.infer.tells-each-arrow-rows-anomaly",
    "pipelines.infer.refuses-with-the-described-body",
    "pipelines.deploy.takes-a-version-without-its-pipeline",
    "pipelines.deploy.takes-a-version-by-its-uuid",
    "models.upload-and-convert.refuses-an-unknown-ending",
}


def judged(release: str, profile: str, *suites: str) -> Seen:
    return apart(partial(seen_with, (), suites or SUITES, release=release, profile=profile))


@pytest.mark.parametrize(
    ("release", "profile", "changed"),
    [("2026.1", "2023.4", GONE_OF_THE_OLDER), ("2023.4", "2026.1", NEW_OF_THE_NEWER)],
)
def test_an_instance_of_another_release_breaks_exactly_what_changed(
    release: str, profile: str, changed: set[str]
) -> None:
    seen = judged(release, profile)
    assert seen.gating == changed
    assert seen.exit_code == 1
    assert "Besides" not in seen.reason


def test_the_newer_release_keeps_its_own_promises_and_what_it_lacks_is_said() -> None:
    seen = judged("2026.1", "2026.1", "lifecycle", "refusals", "standards", "replayed")
    assert seen.gating == set()
    assert seen.exit_code == 0, seen.reason
    by_reason = {group["reason"]: group for group in seen.left_out}
    copies = by_reason["Release 2026.1 has no pipelines.copy."]
    assert "pipelines.deploy.takes-a-copy" in copies["requirements"]
    assert copies["items"] > 0
    recorded = by_reason["It was recorded of release 2023.4, and says nothing of release 2026.1."]
    assert recorded["items"] == len(_releases())


def test_nothing_is_left_out_of_the_release_that_is_written_out() -> None:
    rules = Rules.of("2023.4")
    assert lacks(rules, "pipelines.copy") == ""
    assert lacks(rules, "pipelines.deploy.takes-a-copy") == ""
    newer = Rules.of("2026.1")
    assert lacks(newer, "pipelines.copy.takes-a-copy") == "Release 2026.1 has no pipelines.copy."
    assert lacks(newer, "pipelines.undeploy.returns-nothing") == (
        "Release 2026.1 does not promise pipelines.undeploy.returns-nothing."
    )
