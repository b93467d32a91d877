"""The pytest side of recordings: `@pytest.mark.recorded(...)` and the `recorded` fixture, for anybody's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.targets.recorded import Recorded

MARKER = (
    "recorded(*recordings, all_asked=False): answer what this test asks by httpx, httpx2 or requests from recordings: "
    "folders, files or HARs beside the test, or names of the package's own; all_asked fails the test where one was "
    "never asked for"
)
_PROPERTY = "recordings never asked for"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """The marker alone is enough: a test that does not ask for the fixture has it all the same."""
    names = getattr(item, "fixturenames", None)
    if names is not None and "recorded" not in names and item.get_closest_marker("recorded"):
        names.insert(0, "recorded")


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """Recordings that answer all that this test asks by httpx, httpx2 or requests; nothing leaves the machine.

    Its value says what was `asked` and `never_asked`, and has a `transport` for clients that take one. A request no
    recording answers raises a sentence that names the nearest.
    """
    from conformance.recording.interception import intercepted
    from conformance.recording.replay import replay
    from conformance.targets.recorded import names_of

    marker = request.node.get_closest_marker("recorded")
    given, options = (marker.args, marker.kwargs) if marker else ((), {})
    recordings = replay(*given, beside=Path(request.node.path).parent)
    with intercepted(recordings):
        yield recordings
    if recordings.never_asked:
        names = names_of(recordings.never_asked)
        request.node.user_properties.append((_PROPERTY, names))
        if options.get("all_asked"):
            pytest.fail(f"Recordings were never asked for: {names}.", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    lines = [
        f"{report.nodeid}: {value}"
        for report in reports
        if getattr(report, "when", "") == "teardown"
        for name, value in getattr(report, "user_properties", ())
        if name == _PROPERTY
    ]
    if lines:
        terminalreporter.section("recordings never asked for")
        for line in lines:
            terminalreporter.write_line(line)
