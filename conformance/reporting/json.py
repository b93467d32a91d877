"""The result as a JSON file: what every other report can be made from again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def render(result: Mapping[str, Any]) -> str:
    """The result as indented JSON with a final newline."""
    return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
