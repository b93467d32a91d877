"""One process for the faults of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.measured import Apart


@pytest.fixture(scope="module")
def process() -> Iterator[Apart]:
    apart = Apart()
    yield apart
    apart.close()
