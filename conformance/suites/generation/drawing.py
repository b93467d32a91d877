"""Bodies drawn by schemathesis from our description, one strategy for each operation and intent."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, configuration, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from conformance.spec.document import Document

MODES = {"valid": GenerationMode.POSITIVE, "invalid": GenerationMode.NEGATIVE}
Draw = Callable[[Any, str, int], None]
"""What is done with a drawn (body, media type, index)."""


@cache
def _schema(profile: str) -> Any:
    """The description without `security`: negating a header that our client sets anyway would make valid requests."""
    raw = copy.deepcopy(dict(Document.load(profile).raw))
    raw.pop("security", None)
    raw.get("components", {}).pop("securitySchemes", None)
    for path in raw["paths"].values():
        for definition in path.values():
            # Of a body's media types the first is the one that the description gives a shape.
            content = definition.get("requestBody", {}).get("content", {})
            for media_type in list(content)[1:]:
                del content[media_type]
    schema = schemathesis.openapi.from_dict(raw)
    # NUL and surrogates are for the boundary values; drawn names are for people's alphabets.
    schema.config.generation.update(codec="utf-8", allow_x00=False)
    return schema


def draw(document: Document, operation_id: str, intent: str, count: int, number: int, use: Draw) -> None:
    """Draw `count` bodies of that intent, the same for the same `number`, and hand each to `use`.

    A body is what schemathesis makes of it: JSON as Python values, bytes for what is no JSON, NOT_SET for none. Drawing
    costs more than all that is done with a body, so that of many one in six is drawn, and the others are put together
    from the fields of those.
    """
    keep_out_of_the_way()
    drawn: list[tuple[Any, str, int]] = []
    _draw(document, operation_id, intent, min(count, max(_FEWEST, count // 6)), number, drawn)
    for body, media_type, index in drawn:
        use(body, media_type, index)
    objects = [one for one in drawn if isinstance(one[0], dict)]
    dice = random.Random(number)  # noqa: S311  test data
    for _ in range(count - len(drawn) if len(objects) > 1 else 0):
        (first, media_type, _), (second, _, _) = dice.sample(objects, 2)
        use(_crossed(first, second, dice), media_type, dice.randrange(2**16))


_FEWEST = 10
"""Bodies that are drawn whole, however few are asked for."""


def _crossed(first: dict[str, Any], second: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """An object with each field of one or the other, or of neither where one lacks it."""
    chosen = ((name, dice.choice((first, second))) for name in dict.fromkeys((*first, *second)))
    return {name: copy.deepcopy(body[name]) for name, body in chosen if name in body}


def _draw(
    document: Document, operation_id: str, intent: str, count: int, number: int, drawn: list[tuple[Any, str, int]]
) -> None:
    operation = document.operation(operation_id)
    strategy = _schema(document.profile)[operation.path][operation.method].as_strategy(generation_mode=MODES[intent])

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy, st.integers(0, 2**16))
    def each(case: Any, index: int) -> None:
        drawn.append((case.body, case.media_type or "", index))

    each()


def keep_out_of_the_way() -> None:
    """Let Hypothesis keep what it computes about characters and our constants in the user's cache, not in the folder
    that a run was started in."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    configuration.set_hypothesis_home_dir(Path(cache_home) / "wallaroo-conformance" / "hypothesis")
