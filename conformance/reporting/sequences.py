"""A sequence of exchanges as a script: bash with curl."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.model import Exchange, Finding
from conformance.reporting.curl import curl_of
from conformance.reporting.python import python_of


def bash_of(exchanges: Sequence[Exchange]) -> str:
    """A bash script."""
    return "\n".join(curl_of(exchange) for exchange in exchanges)


def pytest_of(exchanges: Sequence[Exchange], finding: Finding) -> str:
    """A pytest file."""
    return "\n".join(python_of(exchange) for exchange in exchanges)
