"""Faults of inference: what the model would compute is not what is answered."""

from __future__ import annotations

from conformance.emulator.faults.fault import Fault
from conformance.emulator.faults.outputs import numbers

FAULTS = (
    Fault(
        "infer-off-by-a-thousandth",
        ("pipelines.infer.computes-the-model",),
        "inference values and row order",
        "Every output is 0.001 more than the model computes.",
        {"pipelines.infer": numbers(lambda row, value: value + 1e-3)},
    ),
)
