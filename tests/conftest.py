"""What is collected: soak tests, benchmarks, repeated runs and the sample project only where they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

_NAMES = ("soak", "benchmarks", "sample-project", "infrastructure/repeated")
BY_HAND = tuple(Path(__file__).parent / name for name in _NAMES)

SMOKE = (
    "api/test_multipart.py", "checks/test_promises.py", "checks/test_auth.py", "ledger", "spec/test_document.py",
    "spec/test_overlay.py", "recording/test_bodies.py", "recording/test_dialects.py", "recording/test_folder.py",
    "recording/test_har.py", "targets/test_guard.py", "targets/test_holdings.py", "emulator/test_store.py",
    "reporting/test_markdown.py", "reporting/test_result.py", "run/test_baseline.py", "run/test_verdict.py",
    "run/test_waivers.py", "drift/test_kinds.py", "cli/test_check.py",
)  # fmt: skip
"""What `pytest -m smoke` runs: of every room what is quick, together two minutes at most."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    places = tuple(here / name for name in SMOKE)
    for item in items:
        if any(item.path.is_relative_to(place) for place in places):
            item.add_marker(pytest.mark.smoke)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path not in BY_HAND:
        return None
    named = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(collection_path) for path in named) else True
