"""Where descriptions come from, what of them is compared, and which changes a person accepts (`--ignore`).

A generated client says nothing of tokens, hosts, texts, links and headers: their absence there is no change.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from conformance.drift.changes import KINDS, Change, Comparison, advice, advice_for, behaviours
from conformance.drift.compare import compare
from conformance.drift.openapi.bundling import pointer_of, tokens_of
from conformance.drift.openapi.dialects import bare
from conformance.drift.openapi.document import Loaded, read, read_text
from conformance.drift.sources.sdk import is_sdk, read_sdk
from conformance.drift.sources.served import Fetch, Served, Web, described_at, is_url, served_document
from conformance.drift.sources.table import SDK, SERVED, TRAFFIC, Contradiction, Sources, Table, table_of
from conformance.drift.sources.traffic import Declared, Observed, change_of, declared, observe
from conformance.drift.usage import Usage
from conformance.drift.usage.reading import Concern, concerns
from conformance.errors import UsageError
from conformance.model import Exchange, Request, Response
from conformance.spec.document import METHODS, Document

_INFERENCE = "pipelines.infer"
_TITLES = {SERVED: "The served document", SDK: "The SDK", TRAFFIC: "Traffic"}


@dataclass(frozen=True)
class Source:
    """A description and where it is from. `generated` says that it was read out of an SDK; `loaded` is the file's or
    URL's own with its slips and lines, None where it is of neither."""

    title: str
    document: dict[str, Any]
    generated: bool = False
    notes: tuple[str, ...] = ()
    loaded: Loaded | None = None


class OfRelease:
    """Our own description of a release."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.root = dict(document.raw)

    def whereabouts(self, pointer: str) -> tuple[str, int, str]:
        """The file of the repository; what only an overlay adds is told at the nearest line of the description."""
        keys = [int(key) if key.isdigit() and len(key) < 3 else key for key in tokens_of(pointer)]
        while keys:
            try:
                return self._document.path, self._document.line_at(*keys), pointer
            except (KeyError, IndexError, TypeError, UsageError):
                keys.pop()
        return self._document.path, 1, pointer


class Sender(Protocol):
    """What asking an instance for its description needs of a target."""

    url: str

    def send(self, request: Request, *, authenticated: bool = True) -> Exchange:
        """Send one request and return the exchange."""


def source_of(place: str, spec: Document, web: Web | None = None, allow_remote: bool = False) -> Source:
    """What a command's argument names: an OpenAPI file or URL, an instance's URL, a folder of an unpacked SDK wheel, or
    a wheel. `allow_remote`: what it refers to elsewhere is fetched too.

    Raises UsageError or NoVerdictError, one sentence, where it is none of them.
    """
    remote = web.text if web is not None and allow_remote else None
    if is_url(place) and web is not None:
        found = described_at(place, web, remote)
    elif Path(place).is_dir() or is_sdk(Path(place)):
        return sdk_source(Path(place), spec)
    else:
        found = read(place, remote)
    return Source(found.name, found.root, notes=found.notes, loaded=found)


def release_source(profile: str) -> Source:
    """Our own description of a release."""
    return Source(f"release {profile}", dict(Document.load(profile).raw))


def sdk_source(place: Path | None, spec: Document) -> Source:
    """The operations of our description as an SDK's generated client and template describe them, by our ids."""
    infer = next((one for one in spec.operations if one.id == _INFERENCE), None)
    parameters = _path_parameters(spec) if infer else []
    contract = read_sdk(place, [one.path for one in spec.operations], infer.path if infer else "", parameters)
    ids = {(one.path, one.method.lower()): one.id for one in spec.operations}
    for path, item in contract.document["paths"].items():
        for method in METHODS:
            if method in item and (path, method) in ids:
                item[method]["operationId"] = ids[path, method]
    title = f"SDK {contract.release}".strip()
    return Source(title, contract.document, True, contract.notes)


def _path_parameters(spec: Document) -> list[Any]:
    parameters = spec.definition(_INFERENCE).get("parameters", ())
    return [one for one in parameters if one.get("in") == "path"]


def comparison_of(base: Source, revision: Source) -> Comparison:
    """The changes from one source to another, without what a generated client cannot speak of."""
    first, second = _comparable(base, revision)
    found = compare(first, second)
    changes = tuple(_beside_slips(one, base.loaded, revision.loaded) for one in found.changes)
    return replace(found, changes=changes, sources={"base": base.title, "revision": revision.title})


def _beside_slips(change: Change, base: Loaded | None, revision: Loaded | None) -> Change:
    """The change; where one description is not valid at its place, it says so: what is left out there is unknown."""
    told = []
    for name, loaded, pointer in (("base", base, change.base), ("revision", revision, change.revision)):
        if loaded is not None and loaded.left_out and pointer:
            here = pointer_of(change, loaded.root, pointer)
            if any(
                here == one or here.startswith(f"{one}/") or one.rpartition("/")[0] == here for one in loaded.left_out
            ):
                told.append(name)
    if not told:
        return change
    where = " and ".join(told)
    return replace(change, message=f"{change.message} The {where} {'is' if len(told) == 1 else 'are'} not valid here.")


def _comparable(base: Source, revision: Source) -> tuple[dict[str, Any], dict[str, Any]]:
    if not base.generated and not revision.generated:
        return base.document, revision.document
    first, second = bare(base.document, revision.document), bare(revision.document, base.document)
    if base.generated != revision.generated:
        described = (base if base.generated else revision).document["paths"]
        for one in (first, second):
            one["paths"] = {
                path: item for path, item in one["paths"].items() if "/infer/" not in path or path in described
            }
    return first, second


@dataclass(frozen=True)
class Upgrade:
    """The way from one release to another: what changed, schemas or not, and what calls must become, by change id."""

    comparison: Comparison
    becomes: Mapping[str, str]
    unless: Mapping[str, str]


def upgrade(old: str, new: str) -> Upgrade:
    """What an upgrading user meets between two releases there are profiles of. Raises UsageError for an unknown one.

    What the description says of itself (its version, its texts) is left out: no call changes by it.
    """
    base, revision = Document.load(old), Document.load(new)
    found = compare(dict(base.raw), dict(revision.raw))
    schemas = [change for change in found.changes if change.kind != "info-changed"]
    told = behaviours(base, revision)
    changes = sorted([*schemas, *(one.change for one in told)], key=lambda change: not change.breaking)
    known = advice(revision)
    becomes = {change.id: advice_for(change, known) for change in changes}
    becomes |= {one.change.id: one.now for one in told if one.now}
    sources = {"base": f"release {old}", "revision": f"release {new}"}
    unless = {one.change.id: one.unless for one in told if one.unless}
    return Upgrade(Comparison(tuple(changes), sources=sources), becomes, unless)


@dataclass(frozen=True)
class Narrowed:
    """A comparison narrowed to what files touch. `not_seen` are changes nothing in them touches; no more is said."""

    comparison: Comparison
    concerns: tuple[Concern, ...]
    not_seen: tuple[Change, ...]
    usage: Usage


def narrowed(comparison: Comparison, usage: Usage, unless: Mapping[str, str] | None = None) -> Narrowed:
    """The changes that concern a use in the files; the verdict is of these alone."""
    found = concerns(comparison.changes, usage, unless)
    seen = {one.change.id for one in found}
    rest = tuple(change for change in comparison.changes if change.id not in seen)
    return Narrowed(replace(comparison, changes=tuple(one.change for one in found)), found, rest, usage)


def fetch_through(sender: Sender) -> Fetch:
    """GETs through a target: without a token first, and with one where that is refused."""

    def fetch(url: str) -> Response:
        response: Response | None = None
        for authenticated in (False, True):
            response = sender.send(Request("GET", url), authenticated=authenticated).response
            if response is None or response.status not in (401, 403):
                break
        return response or Response(None)

    return fetch


def served_by(sender: Sender, place: str = "") -> Served:
    """The description an instance serves."""
    return served_document(sender.url, fetch_through(sender), place)


def served_source(sender: Sender) -> Source | None:
    """The description an instance serves at a usual place; None where it serves none."""
    served = served_by(sender)
    return None if served.document is None else Source(served.url, served.document)


def drift_from_ours(served: Source, spec: Document) -> Comparison | None:
    """The changes from our description to a served one; None where the two cannot be compared."""
    try:
        return comparison_of(Source("our description", dict(spec.raw)), served)
    except UsageError:
        return None


def table_for(
    spec: Document,
    served: Served | None = None,
    sdk: Source | None = None,
    exchanges: Iterable[Exchange] | None = None,
    prose: Sequence[Contradiction] | None = None,
) -> tuple[Table, tuple[Change, ...]]:
    """The table of our description beside what is given, and the changes of all sources, each naming its source.

    The tutorial's prose is a column and no source of changes: it says nothing of an instance.
    """
    ours = Source("our description", dict(spec.raw))
    sources = Sources(declared(ours.document), prose=prose)
    if served is not None and served.document is not None:
        there = Source(served.url, served.document)
        sources.described[SERVED] = (comparison_of(ours, there), _by_our_ids(spec, served.document))
    if sdk is not None:
        sources.described[SDK] = (comparison_of(ours, sdk), _by_our_ids(spec, sdk.document))
    if exchanges is not None:
        sources.observed = observe(exchanges, spec)
    comparisons = {name: comparison for name, (comparison, _) in sources.described.items()}
    return table_of(sources), instance_changes(comparisons, sources.observed)


def _by_our_ids(spec: Document, document: dict[str, Any]) -> dict[str, Declared]:
    """What a document declares, by our operation ids where method and path are the same."""
    ids = {(one.method, one.path): one.id for one in spec.operations}
    return {ids.get((one.method, one.path), one.id): one for one in declared(document).values()}


def instance_changes(
    comparisons: Mapping[str, Comparison], observed: Mapping[str, Observed] | None
) -> tuple[Change, ...]:
    """The changes of all sources together, breaking ones first; each message names the source it is of."""
    changes = [
        replace(change, message=f"{_TITLES[name]}: {change.message}")
        for name, comparison in comparisons.items()
        for change in comparison.changes
    ]
    facts = [fact for one in (observed or {}).values() for fact in one.facts]
    changes += [replace(one, message=f"{_TITLES[TRAFFIC]}: {one.message}") for one in map(change_of, facts) if one]
    return tuple(sorted(changes, key=lambda change: not change.breaking))


_SELECTORS = ("change", "kind", "operation", "location")
_NEEDED = ("reason", "owner", "last_day")


@dataclass(frozen=True)
class Ignored:
    """One entry. It speaks of the changes that have every selector it states; at least one of them is stated."""

    reason: str
    owner: str
    last_day: datetime.date
    selectors: tuple[tuple[str, str], ...]

    def selects(self, change: Change) -> bool:
        """Whether the entry speaks of this change."""
        has = {"change": change.id, "kind": change.kind, "operation": change.operation, "location": change.location}
        return all(has[name] == value for name, value in self.selectors)

    @property
    def about(self) -> str:
        """The entry's selectors in words."""
        return ", ".join(f"{name} {value}" for name, value in self.selectors)


def read_ignored(path: str | Path) -> tuple[Ignored, ...]:
    """The file's entries. Raises UsageError, one sentence, where it cannot be used."""
    try:
        entries = tomllib.loads(read_text(Path(path)))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from None
    unknown = sorted(entries.keys() - {"ignore"})
    if unknown or not isinstance(entries.get("ignore", []), list):
        raise UsageError(f"{path} may hold [[ignore]] entries only{f', not {unknown[0]!r}' if unknown else ''}.")
    return tuple(_entry(entry, i, path) for i, entry in enumerate(entries.get("ignore", ()), 1))


def _entry(entry: Any, number: int, path: str | Path) -> Ignored:
    where = f"Entry {number} of {path}"
    if not isinstance(entry, dict):
        raise UsageError(f"{where} is not an [[ignore]] table.")
    unknown = sorted(entry.keys() - {*_SELECTORS, *_NEEDED})
    if unknown:
        raise UsageError(f"{where} has {unknown[0]!r}; it may have {', '.join((*_SELECTORS, *_NEEDED))}.")
    missing = [name for name in _NEEDED if not str(entry.get(name, "")).strip()]
    if missing:
        raise UsageError(
            f"{where} has no {missing[0]}; say why the change is accepted, who answers for it and until when."
        )
    last_day = entry["last_day"]
    if isinstance(last_day, str):
        try:
            last_day = datetime.date.fromisoformat(last_day)
        except ValueError:
            raise UsageError(f"{where} has the last_day {last_day!r}, which is not a date (2026-12-31).") from None
    if not isinstance(last_day, datetime.date) or isinstance(last_day, datetime.datetime):
        raise UsageError(f"{where} has the last_day {last_day!r}, which is not a date (2026-12-31).")
    selectors = tuple((name, str(entry[name])) for name in _SELECTORS if name in entry)
    if not selectors:
        raise UsageError(f"{where} selects every change; name a {', a '.join(_SELECTORS)}.")
    if entry.get("kind", "operation-added") not in KINDS:
        raise UsageError(f"{where} names the kind {entry['kind']!r}, which does not exist.")
    return Ignored(str(entry["reason"]).strip(), str(entry["owner"]).strip(), last_day, selectors)


def leave_out(comparison: Comparison, entries: tuple[Ignored, ...], today: datetime.date) -> Comparison:
    """The comparison without what the entries accept. An entry past its day, or with nothing to accept, is stale."""
    kept: list[Change] = []
    ignored: list[tuple[Change, Ignored]] = []
    used: set[Ignored] = set()
    current = [entry for entry in entries if entry.last_day >= today]
    for change in comparison.changes:
        entry = next((entry for entry in current if entry.selects(change)), None)
        if entry is None:
            kept.append(change)
        else:
            ignored.append((change, entry))
        used.update(one for one in current if one.selects(change))
    stale = tuple((entry, _why(entry, today)) for entry in entries if entry not in used)
    return replace(comparison, changes=tuple(kept), ignored=tuple(ignored), stale=stale)


def _why(entry: Ignored, today: datetime.date) -> str:
    return f"its last day was {entry.last_day}" if entry.last_day < today else "no change needs it"
