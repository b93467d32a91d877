"""What is collected: soak tests, benchmarks, repeated runs and the sample project only where they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

_NAMES = ("soak", "benchmarks", "sample-project", "infrastructure/repeated")
BY_HAND = tuple(Path(__file__).parent / name for name in _NAMES)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path not in BY_HAND:
        return None
    named = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(collection_path) for path in named) else True
