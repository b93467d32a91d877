"""Everything one emulated instance is made of, and the steps each call goes through."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.emulator.engine import Engine
from conformance.emulator.inference_log import InferenceLog
from conformance.emulator.settings import Settings
from conformance.emulator.store import Store
from conformance.emulator.tokens import TokenIssuer
from conformance.emulator.wire import Answer, Call

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
