"""What was inferred, kept so that it can be told again: requests, since the models give the same outputs each time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Inference:
    """One inference that was answered: the models it ran through, what was asked, and when (epoch milliseconds)."""

    pipeline_id: int
    time: int
    chain: tuple[str, ...]
    task: Mapping[str, Any]
    body: bytes


class InferenceLog:
    """The newest inferences of an instance, as many as 32 MiB of requests. It ends with the process."""

    def __init__(self) -> None:
        self._kept: deque[Inference] = deque()
        self._bytes = 0

    def add(self, inference: Inference) -> None:
        """Keep one more; the oldest go when there are too many bytes."""
        self._kept.append(inference)
        self._bytes += len(inference.body)
        while self._bytes > _BYTES:
            self._bytes -= len(self._kept.popleft().body)

    def of(self, pipeline_id: int) -> list[Inference]:
        """A pipeline's inferences, the oldest first."""
        return [each for each in self._kept if each.pipeline_id == pipeline_id]
