"""Finds specs/ and fixtures/: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).resolve().parent / "_data"
ROOT = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parent.parent
"""The folder that holds specs/ and fixtures/."""

SPECS = ROOT / "specs"
FIXTURES = ROOT / "fixtures"
