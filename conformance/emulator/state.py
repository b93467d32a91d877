"""Everything one emulated instance is made of, and the steps each call goes through."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.emulator.engine import Engine
from conformance.emulator.openid import TokenIssuer
from conformance.emulator.settings import Settings
from conformance.emulator.store import Store
from conformance.emulator.wire import Answer, Call

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


Step = Callable[[Call], Awaitable[Answer]]
"""What turns a call into an answer."""

Middleware = Callable[[Call, Step, "State"], Awaitable[Answer]]
"""Advice around a step: it may change the call, call the step or not, and change the answer."""

RESPOND = "respond"
"""The outermost step: every call of the instance, refused ones and unknown paths too."""

AUTHENTICATE = "authenticate"
"""The step that refuses a call without a good token; its answer when it does not is 200 without a body."""


@dataclass
class State:
    """The instance: settings, state, model runtime, tokens, and middleware around its steps.

    `middleware` maps an operation's id, RESPOND or AUTHENTICATE to functions around it, outermost first; faults and
    variations are nothing else. `memory` is theirs to remember things in.
    """

    settings: Settings
    store: Store
    engine: Engine
    tokens: TokenIssuer
    middleware: Mapping[str, tuple[Middleware, ...]] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    log: InferenceLog = field(default_factory=InferenceLog)
    clock: Callable[[], float] = time.time

    def step(self, name: str, innermost: Step) -> Step:
        """`innermost` with all middleware around it."""
        for around in reversed(self.middleware.get(name, ())):
            innermost = self._advised(around, innermost)
        return innermost

    def _advised(self, around: Middleware, proceed: Step) -> Step:
        async def advised(call: Call) -> Answer:
            return await around(call, proceed, self)

        return advised

    def close(self) -> None:
        """End the model runtime and the state."""
        self.engine.close()
        self.store.close()
