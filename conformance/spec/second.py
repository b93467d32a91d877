"""The second judge: openapi-core is asked about the first message of each kind; a contradiction is our incident."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.model import Exchange
from conformance.spec.document import Document
from conformance.spec.problems import Problem
from conformance.spec.validation import FastValidator

Kind = tuple[str, str, int | None, str]
"""Operation, direction, status (None for a request) and media type."""


class SecondJudge:
    """Compares our validator with openapi-core's reading of the same document, once for each kind of message.

    Two libraries that read one description unlike each other say that one of them is wrong, and not which: that is
    told with both answers, and nothing is held against the target for it.
    """

    def __init__(self, document: Document, first: FastValidator) -> None:
        from conformance.spec.crosscheck import DocumentValidator  # its imports take a second

        self._first, self._second = first, DocumentValidator(document)
        self._asked: set[Kind] = set()

    def contradictions(self, exchange: Exchange) -> Iterator[str]:
        """A sentence for each direction in which the two disagree on this exchange; nothing of a kind asked before."""
        if exchange.operation is None:
            return
        if self._is_new((exchange.operation, "request", None, exchange.request.media_type)):
            yield from self._compared(exchange, "request")
        answered = exchange.response is not None and exchange.response.body_known and exchange.status is not None
        if answered and exchange.response is not None:
            kind = (exchange.operation, "response", exchange.status, exchange.response.media_type)
            if self._is_new(kind):
                yield from self._compared(exchange, "response")

    def _is_new(self, kind: Kind) -> bool:
        new = kind not in self._asked
        self._asked.add(kind)
        return new

    def _compared(self, exchange: Exchange, direction: str) -> Iterator[str]:
        asked = "request_problems" if direction == "request" else "response_problems"
        ours: Sequence[Problem] = getattr(self._first, asked)(exchange)
        try:
            theirs: Sequence[Problem] = getattr(self._second, asked)(exchange)
        except Exception as error:  # another library's own fault says nothing of either answer
            yield (
                f"openapi-core could not judge a {direction} of {exchange.operation} ({type(error).__name__}); "
                f"our validator says {_said(ours)}."
            )
            return
        if bool(ours) != bool(theirs):
            status = f" with status {exchange.status}" if direction == "response" else ""
            yield (
                f"Two validators disagree on a {direction} of {exchange.operation}{status}: ours says {_said(ours)}, "
                f"openapi-core says {_said(theirs)}. One of them is wrong; nothing is held against the target for it."
            )


def _said(problems: Sequence[Problem]) -> str:
    return (
        "it is as described"
        if not problems
        else f"not as described ({problems[0].kind} at {problems[0].where or 'it'})"
    )
