"""Every emulated release under every profile: it breaks exactly what changed between the two, no more and no less."""

from __future__ import annotations

import pytest

from conformance.spec.document import profiles
from tests.suites.test_releases import expected, judged


@pytest.mark.parametrize("profile", profiles())
@pytest.mark.parametrize("release", profiles())
def test_a_release_judged_as_another_breaks_what_changed(release: str, profile: str) -> None:
    seen = judged(release, profile)
    assert seen.gating == expected(release, profile)
    assert seen.exit_code == (1 if seen.gating else 0), seen.reason
