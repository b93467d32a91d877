"""The model under test: an ONNX file of one float input and one float output, and rows to send it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

from conformance import data
from conformance.errors import UsageError

_FLOAT = 1  # onnx.TensorProto.FLOAT
TUTORIAL_INPUT = data.FIXTURES / "recordings" / "pipelines.infer" / "one-row.json"


@dataclass(frozen=True)
class Model:
    """`content` the file's bytes, `column` the input's name, `width` its columns."""

    content: bytes = field(repr=False)
    column: str
    width: int

    @classmethod
    def read(cls, path: Path) -> Model:
        """The model in a file. Raises UsageError where it is no ONNX model of one [N, width] float input and output."""
        return cls.of(path.read_bytes(), path.name)

    @classmethod
    def of(cls, content: bytes, name: str) -> Model:
        """The model in a file's bytes; `name` is what a UsageError calls it."""
        try:
            graph = onnx.load_from_string(content).graph
        except Exception:
            raise UsageError(f"The model {name} is no ONNX file. Give --model FILE.onnx.") from None
        weights = {weight.name for weight in graph.initializer}
        inputs = [item for item in graph.input if item.name not in weights]
        shapes = [item.type.tensor_type for item in (*inputs, *graph.output)]
        if len(inputs) != 1 or len(graph.output) != 1 or any(shape.elem_type != _FLOAT for shape in shapes):
            raise UsageError(
                f"The model {name} has {len(inputs)} inputs and {len(graph.output)} outputs; the suite sends rows "
                "to models of one float input and one float output. Give another --model."
            )
        width = [dimension.dim_value for dimension in shapes[0].shape.dim]
        if len(width) != 2 or width[1] < 1:
            raise UsageError(f"The input of {name} is not [N, width] with a fixed width. Give another --model.")
        return cls(content, inputs[0].name, width[1])

    def negated(self) -> bytes:
        """The file of another model, with the same input and output, that computes this one's outputs negated."""
        model = onnx.load_from_string(self.content)
        output = model.graph.output[0].name
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [f"{name}_before" if name == output else name for name in names]
        model.graph.node.append(onnx.helper.make_node("Neg", [f"{output}_before"], [output]))
        return bytes(model.SerializeToString())

    def rows(self, count: int, seed: int = 0) -> list[list[float]]:
        """`count` rows of `width` numbers, the same for the same seed; six decimals, as float32 keeps them."""
        drawn = np.random.default_rng([abs(seed), count, self.width]).uniform(-2.0, 2.0, (count, self.width))
        rows: list[list[float]] = drawn.round(6).tolist()
        return rows

    def tutorial_row(self) -> list[float]:
        """The tutorial's row where the model takes one of that width, else a drawn one."""
        if self.width == 29 and TUTORIAL_INPUT.is_file():
            recorded = json.loads(TUTORIAL_INPUT.read_text(encoding="utf-8"))["request"]["body"][0]
            return [float(value) for value in next(iter(recorded.values()))]
        return self.rows(1)[0]
