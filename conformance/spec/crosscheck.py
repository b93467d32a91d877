"""Judges exchanges against the description by openapi-core: slower than `validation`, and a reading that is not ours.

Only what openapi-core leaves out is done here: media types are normalised before it sees them, JSON is read strictly
(RFC 8259), `contentSchema` is asserted, and of what a recording does not know nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

from jsonschema.exceptions import ValidationError
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.media_types.exceptions import MediaTypeNotFound
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_core.validation.request.exceptions import (
    MissingRequiredRequestBody,
    ParameterValidationError,
    RequestBodyValidationError,
    SecurityValidationError,
)
from openapi_core.validation.response.exceptions import DataValidationError, HeaderValidationError, MissingData
from openapi_core.validation.schemas.exceptions import InvalidSchemaValue
from werkzeug.datastructures import Headers as Fields
from werkzeug.datastructures import ImmutableMultiDict

from conformance.model import Exchange, Operation, Request, Response
from conformance.spec import content
from conformance.spec.document import Document
from conformance.spec.problems import (
    MOST_PROBLEMS,
    Kind,
    Problem,
    empty_body,
    missing_header,
    missing_parameter,
    no_token,
    not_json,
    schema_problem,
    undeclared_status,
    undeclared_type,
    unknown_operation,
)
from conformance.spec.validation import FastValidator, embedded_problems, operation_of

_Media = Mapping[str, Mapping[str, Any]]
_REPRESENTATIVE = "99"
"""What stands for the class in `4XX` when a status of it is needed."""


class DocumentValidator:
    """Judges exchanges against one document. Raises openapi-core's own errors where the document is invalid."""

    def __init__(self, document: Document) -> None:
        self.document = document
        readers: dict[str, Callable[..., Any]] = {"application/json": _strict_json, "multipart/form-data": _form}
        self._api = OpenAPI.from_dict(dict(document.raw), config=Config(extra_media_type_deserializers=readers))

    def request_problems(self, exchange: Exchange) -> list[Problem]:
        """What of the request is not as described; after a missing token nothing more is looked at."""
        operation, request = operation_of(self.document, exchange), exchange.request
        if operation is None:
            return [unknown_operation(request)]
        raw = self.document.definition(operation.id)
        media = self.document.resolved(raw["requestBody"]).get("content", {}) if "requestBody" in raw else {}
        shown = _ShownRequest.of(self._path(operation, exchange), request, tuple(media))
        problems = _told(self._api.iter_request_errors(shown), media, request)
        return problems or self._embedded(media, request, exchange.request.url)

    def response_problems(self, exchange: Exchange, status: int | None = None) -> list[Problem]:
        """What of the response is not as described; as `FastValidator.response_problems` has it."""
        operation, response = operation_of(self.document, exchange), exchange.response
        if operation is None or response is None:
            return []
        status = status if response.status is None else response.status
        if status is not None:
            return self._at(operation, exchange, response, status)
        media = {key: tuple(self._media(operation, key)) for key in self._responses(operation)}
        judge = partial(self._at, operation, exchange, response)
        return content.any_status(media, response.body, lambda key: judge(int(key.replace("XX", _REPRESENTATIVE))))

    def _at(self, operation: Operation, exchange: Exchange, response: Response, status: int) -> list[Problem]:
        key = content.response_key(self._responses(operation), status)
        media = self._media(operation, key) if key else {}
        request = _ShownRequest.of(self._path(operation, exchange), exchange.request, ())
        shown = _ShownResponse.of(response, status, tuple(media))
        errors = self._api.iter_response_errors(request, shown)
        unclaimed = _unclaimed(response, media, exchange.request.url)
        problems = [problem for problem in _told(errors, media, response) if problem.kind not in unclaimed]
        if any(problem.kind is Kind.STATUS for problem in problems):
            return [undeclared_status(self._responses(operation), status)]
        return problems or self._embedded(media, response, exchange.request.url)

    def _embedded(self, media: _Media, message: Request | Response, url: str) -> list[Problem]:
        name = content.falls_under(tuple(media), message) if message.is_json else None
        if name is None or not content.is_json(name) or Kind.SCHEMA in _unclaimed(message, media, url):
            return []
        return embedded_problems(self.document, media[name].get("schema", True), message.json)

    def _responses(self, operation: Operation) -> Mapping[str, Any]:
        responses: Mapping[str, Any] = self.document.definition(operation.id)["responses"]
        return responses

    def _media(self, operation: Operation, key: str) -> _Media:
        media: _Media = self.document.resolved(self._responses(operation)[key]).get("content", {})
        return media

    def _path(self, operation: Operation, exchange: Exchange) -> str:
        """The operation's path with the exchange's parameters, encoded as a client should."""
        matched = self.document.match(exchange.request.method, exchange.request.path)
        parameters = exchange.parameters or (matched[1] if matched else {})
        path = operation.path
        for name, value in parameters.items():
            path = path.replace(f"{{{name}}}", quote(value, safe="") or "-")
        return path


def _strict_json(body: bytes, **parameters: str) -> Any:
    request = Request("", "", body=body)
    try:
        return request.json
    except RecursionError:
        raise ValueError("nests too deeply to be read") from None


def _form(body: bytes, boundary: str = "", **parameters: str) -> ImmutableMultiDict[str, bytes]:
    """A form's parts by name; openapi-core's own reader takes text alone. The boundary is in hexadecimal."""
    head = f'Content-Type: multipart/form-data; boundary="{bytes.fromhex(boundary).decode()}"\r\n\r\n'
    parts = message_from_bytes(head.encode() + body)
    named = [(part.get_param("name", header="content-disposition"), part) for part in parts.walk()]
    return ImmutableMultiDict((str(name), bytes(part.get_payload(decode=True))) for name, part in named if name)


def _unclaimed(message: Request | Response, media: _Media, url: str) -> set[Kind]:
    """The kinds of problem that cannot be held against a message, for what is not known of it or left open."""
    unclaimed = set() if content.headers_known(message) else {Kind.HEADER}
    if not content.is_undeclared(tuple(media), message):
        unclaimed.add(Kind.MEDIA_TYPE)
    name = content.falls_under(tuple(media), message)
    open_body = name is None if message.body else content.may_be_empty(media)
    if open_body or not content.body_known(message) or (name and content.is_selective(media[name], url)):
        unclaimed |= {Kind.BODY, Kind.SCHEMA}
    return unclaimed


def _told(errors: Iterable[Exception], media: _Media, message: Request | Response) -> list[Problem]:
    """openapi-core's errors in our words."""
    return list(dict.fromkeys(one for error in errors for one in _problems(error, tuple(media), message)))


def _problems(error: Exception, declared: tuple[str, ...], message: Request | Response) -> Iterator[Problem]:
    cause = error.__cause__
    if isinstance(error, ResponseNotFound):
        yield undeclared_status((), int(error.http_status))
    elif isinstance(error, SecurityValidationError) and isinstance(message, Request):
        yield no_token(message)
    elif isinstance(error, ParameterValidationError):
        yield missing_parameter(error.name)
    elif isinstance(error, HeaderValidationError):
        yield missing_header(error.name)
    elif isinstance(error, MissingData | MissingRequiredRequestBody):
        yield empty_body(declared)
    elif isinstance(cause, MediaTypeNotFound):
        yield undeclared_type(declared, message)
    elif isinstance(cause, InvalidSchemaValue):
        for mismatch in list(cause.schema_errors)[:MOST_PROBLEMS]:
            assert isinstance(mismatch, ValidationError)
            yield from _mismatches(mismatch)
    elif isinstance(error, DataValidationError | RequestBodyValidationError):
        yield not_json(message.body[:400].decode("utf-8", "replace"))
    else:
        raise error


def _mismatches(error: ValidationError) -> Iterator[Problem]:
    keys, value, instance = tuple(error.absolute_path), cast(Any, error.validator_value), cast(Any, error.instance)
    if error.validator == "required":
        yield from (schema_problem("required", None, keys, None, name) for name in value if name not in instance)
    else:
        yield schema_problem(str(error.validator), value, keys, instance)


@dataclass
class _ShownRequest:
    """A request as openapi-core reads it (its `Request` protocol)."""

    host_url: str
    path: str
    method: str
    content_type: str
    body: bytes | None
    parameters: RequestParameters

    @classmethod
    def of(cls, path: str, request: Request, declared: tuple[str, ...]) -> _ShownRequest:
        parts = urlsplit(request.url)
        return cls(
            host_url=f"{parts.scheme}://{parts.netloc}",
            path=path,
            method=request.method.lower(),
            content_type=_shown_type(request, declared),
            body=request.body or None,
            parameters=RequestParameters(
                query=ImmutableMultiDict(parse_qsl(parts.query, keep_blank_values=True)),
                header=Fields(list(request.headers.fields)),
            ),
        )


@dataclass(frozen=True)
class _ShownResponse:
    """A response as openapi-core reads it (its `Response` protocol)."""

    status_code: int
    headers: Fields
    content_type: str
    data: bytes

    @classmethod
    def of(cls, response: Response, status: int, declared: tuple[str, ...]) -> _ShownResponse:
        fields = Fields(list(response.headers.fields))
        return cls(status, fields, _shown_type(response, declared), response.body if response.body_known else b"null")


def _shown_type(message: Request | Response, declared: tuple[str, ...]) -> str:
    """The content type in the description's own spelling, the only one that openapi-core finds.

    A form keeps its boundary, in hexadecimal: openapi-core cannot read every character that may stand in one.
    """
    sent = content.effective_type(message)
    bare = sent.split(";")[0].strip().lower()
    if bare.startswith("multipart/"):
        return f"{bare}; boundary={content.boundary(sent).encode().hex()}"
    return bare if content.is_undeclared(declared, message) else content.falls_under(declared, message) or bare


_Message = tuple[str, str, int | None, str]
"""Operation, direction, status (None for a request) and media type."""


class SecondJudge:
    """Compares our validator with openapi-core's reading of the same document, once for each kind of message.

    Two libraries that read one description unlike each other say that one of them is wrong, and not which: that is
    told with both answers, and nothing is held against the target for it.
    """

    def __init__(self, document: Document, first: FastValidator) -> None:
        self._first, self._second = first, DocumentValidator(document)
        self._asked: set[_Message] = set()

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

    def _is_new(self, kind: _Message) -> bool:
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
                f"openapi-core says {_said(theirs)}. One of them is wrong; the target is not blamed for it."
            )


def _said(problems: Sequence[Problem]) -> str:
    return (
        "it is as described"
        if not problems
        else f"not as described ({problems[0].kind} at {problems[0].where or 'it'})"
    )
