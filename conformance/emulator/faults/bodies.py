"""Faults of response bodies: a field is missing, null, or of another type."""

from __future__ import annotations

from conformance.emulator.faults.fault import Fault, succeeding

FAULTS = (
    Fault(
        "create-null-version-id",
        ("pipelines.create.returns-the-version-id",),
        "response schema",
        "A create answers null in pipeline_variant_pk_id, where an integer belongs.",
        {"pipelines.create": succeeding(lambda body: body | {"pipeline_variant_pk_id": None})},
    ),
)
