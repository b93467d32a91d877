"""The pytest side of emulated instances: `wallaroo_instance`, for somebody's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.targets.instance import WallarooInstance

MARKER = (
    "wallaroo(release='2023.4', faults=(), start_seconds=0.2, stop_seconds=0.1, token_seconds=60): the emulated "
    "instance that wallaroo_instance gives this test"
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def wallaroo_instance(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WallarooInstance]:
    """A new emulated instance for this test, as `@pytest.mark.wallaroo(...)` has it; the environment leads to it."""
    marker = request.node.get_closest_marker("wallaroo")
    if marker and marker.args:
        raise pytest.UsageError(f"@pytest.mark.wallaroo takes keyword arguments only: {MARKER.partition(':')[0]}.")
    yield from _running(tmp_path_factory, marker.kwargs if marker else {})


@pytest.fixture(scope="session")
def wallaroo_session_instance(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WallarooInstance]:
    """One emulated instance for the whole session; override `wallaroo_session_settings` to choose its release."""
    yield from _running(tmp_path_factory, request.getfixturevalue("wallaroo_session_settings"))


@pytest.fixture(scope="session")
def wallaroo_session_settings() -> dict[str, object]:
    """What the session's instance is started with: the names that `@pytest.mark.wallaroo` takes."""
    return {}


def _running(folders: pytest.TempPathFactory, settings: dict[str, object]) -> Iterator[WallarooInstance]:
    from conformance.errors import UsageError, require

    try:
        require("wallaroo_instance", "emulated")
        from conformance.targets.instance import running

        with pytest.MonkeyPatch.context() as patch, running(folders.mktemp("wallaroo"), **settings) as instance:  # type: ignore[arg-type]
            for name, value in instance.environment.items():
                patch.setenv(name, value)
            yield instance
    except (UsageError, TypeError) as error:
        pytest.fail(f"The emulated instance cannot be started: {error}", pytrace=False)
