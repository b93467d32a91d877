"""The form of specs/drift.schema.json."""

from __future__ import annotations

import json

from conformance.drift.openapi.comparison import Comparison


def render(comparison: Comparison) -> str:
    """Verdict and changes; what was ignored and which entries are stale, where an ignore file was given."""
    whole = comparison.as_dict()
    if comparison.ignored or comparison.stale:
        whole["ignored"] = [
            {**one.as_dict(), "reason": entry.reason, "owner": entry.owner} for one, entry in comparison.ignored
        ]
        whole["stale"] = [{"entry": entry.about, "why": why} for entry, why in comparison.stale]
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
