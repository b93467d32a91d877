"""An instance of one release, judged by its own promises and by another's: what changed is told, and nothing else."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest

from conformance.checks import Rules
from conformance.run.scope import lacks
from conformance.spec.requirements import load
from conformance.suites.test_replayed import _releases
from tests.measured import Seen, apart, seen_with

SUITES = ("lifecycle", "refusals")

_ALL = ("2023.4", "2024.1", "2024.4", "2025.1", "2025.2", "2026.1")
_OLD, _NEW = _ALL[:1], _ALL[1:]
KEEPS: dict[str, tuple[str, ...]] = {
    "pipelines.copy.serves-valid-requests": _OLD,
    "pipelines.undeploy.returns-nothing": _OLD,
    "pipelines.undeploy.answers-with-an-object": _NEW,
    "pipelines.infer.tells-each-records-check-failures": _OLD,
    "pipelines.infer.tells-each-arrow-rows-check-failures": _OLD,
    "pipelines.infer.tells-each-records-anomaly": _NEW,
    "pipelines.infer.tells-each-arrow-rows-anomaly": _NEW,
    "pipelines.deploy.requires-pipeline-id": _ALL[:2],
    "pipelines.deploy.requires-pipeline-version-pk-id": _ALL[:2],
    "pipelines.deploy.takes-a-version-without-its-pipeline": _ALL[2:],
    "pipelines.deploy.takes-a-version-by-its-uuid": _ALL[2:],
    "models.upload-and-convert.takes-any-file-name": _ALL[:4],
    "models.upload-and-convert.refuses-an-unknown-ending": _ALL[4:],
}
"""What not every release does: which emulated releases keep it. A profile demands what its release is known to do."""

ERRORS = "pipelines.infer.refuses-with-the-described-body"
"""A list of errors in the first two releases, one object since."""


def expected(release: str, profile: str) -> set[str]:
    """What an instance of one release breaks of another's promises."""
    promised = {row.id for row in load(profile).rows}
    broken = {row for row, keepers in KEEPS.items() if row in promised and release not in keepers}
    return broken | ({ERRORS} if (release in _ALL[:2]) is not (profile in _ALL[:2]) else set())


def judged(release: str, profile: str, *suites: str) -> Seen:
    return apart(partial(seen_with, (), suites or SUITES, release=release, profile=profile))


NEIGHBOURS = list(pairwise(_ALL))


@pytest.mark.parametrize(
    ("release", "profile"),
    [("2026.1", "2023.4"), ("2023.4", "2026.1"), ("2024.1", "2024.4"), ("2025.1", "2025.2"), ("2025.2", "2026.1")],
)
def test_an_instance_of_another_release_breaks_exactly_what_changed(release: str, profile: str) -> None:
    seen = judged(release, profile)
    assert seen.gating == expected(release, profile)
    assert seen.exit_code == (1 if seen.gating else 0), seen.reason
    assert "Besides" not in seen.reason


def test_what_changed_between_neighbours_is_known() -> None:
    changed = {pair: expected(*pair) | expected(*reversed(pair)) for pair in NEIGHBOURS}
    assert [bool(changed[pair]) for pair in NEIGHBOURS] == [True, True, False, True, False]


def test_the_newer_release_keeps_its_own_promises_and_what_it_lacks_is_said() -> None:
    seen = judged("2026.1", "2026.1", "lifecycle", "refusals", "standards", "replayed")
    assert seen.gating == set()
    assert seen.exit_code == 0, seen.reason
    by_reason = {group["reason"]: group for group in seen.left_out}
    copies = by_reason["Release 2026.1 has no pipelines.copy."]
    assert "pipelines.deploy.takes-a-copy" in copies["requirements"]
    assert copies["items"] > 0
    recorded = by_reason["It was recorded from release 2023.4, so it tells nothing about release 2026.1."]
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
