"""One table of what every source says: a row for each operation and field, a column for each source.

The first column is our description, which every other is held to. Sources are documents (served, SDK), traffic, and the
tutorial's prose; a row says which of them differs, and who breaks by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.drift.changes import Change, Comparison
from conformance.drift.sources.traffic import Declared, Fact, FieldSeen, Observed
from conformance.model import Requirement

AGREES, DIFFERS, UNEXERCISED, SILENT = "agrees", "differs", "unexercised", "says nothing"
CALLERS, READERS, NOBODY = "callers", "readers", "nobody"

SERVED, TRAFFIC, SDK, PROSE = "served", "traffic", "sdk", "prose"
"""Names of the columns after `spec`, in their order."""

_READER_FACTS = ("other-type", "value-outside-enum", "required-but-absent", "not-as-described", "undeclared-media-type")


@dataclass(frozen=True)
class Cell:
    """What one source says of one place: a state and a few words."""

    state: str
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One place. `spec` is what ours says (empty where it says nothing), `cells` the others by column.

    `breaks` is callers, readers or nobody, and empty where nothing differs; `cause` the sentence that attributes it.
    """

    operation: str
    location: str
    spec: str
    cells: Mapping[str, Cell]
    breaks: str = ""
    cause: str = ""

    @property
    def differs(self) -> tuple[str, ...]:
        """The columns that differ from ours."""
        return tuple(name for name, cell in self.cells.items() if cell.state == DIFFERS)


@dataclass(frozen=True)
class Contradiction:
    """A place where the tutorial's prose says otherwise than the contract: what it says, where, and what holds.

    `misleads` says that a caller who follows it breaks.
    """

    operation: str
    location: str
    says: str
    where: str
    holds: str = ""
    misleads: bool = True


@dataclass
class Sources:
    """What the table is made of. `described` holds documents by column: the comparison of ours with it, and what it
    declares by the ids of ours; `observed` the traffic; `prose` the tutorial's contradictions."""

    spec: Mapping[str, Declared]
    described: dict[str, tuple[Comparison, Mapping[str, Declared]]] = field(default_factory=dict)
    observed: Mapping[str, Observed] | None = None
    prose: Sequence[Contradiction] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns there is something in, in their order."""
        present = [*self.described, *([TRAFFIC] if self.observed is not None else [])]
        present += [PROSE] if self.prose is not None else []
        return tuple(sorted(present, key=lambda name: (SERVED, TRAFFIC, SDK, PROSE).index(name)))


@dataclass(frozen=True)
class Table:
    """Rows in the order of our description, then what only others know of."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows in which some source differs from ours."""
        return tuple(row for row in self.rows if row.differs)

    def count(self, column: str, state: str) -> int:
        """How many rows have this state in this column."""
        return sum(row.cells[column].state == state for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """The table as JSON carries it."""
        return {
            "columns": ["spec", *self.columns],
            "rows": [
                {
                    "operation": row.operation,
                    "location": row.location,
                    "spec": row.spec,
                    **{name: {"state": cell.state, "text": cell.text} for name, cell in row.cells.items()},
                    "breaks": row.breaks,
                    "cause": row.cause,
                }
                for row in self.rows
            ],
        }


def table_of(sources: Sources) -> Table:
    """The table of these sources."""
    changes = {name: _by_place(comparison.changes) for name, (comparison, _) in sources.described.items()}
    facts = _facts_by_place(sources.observed or {})
    prose: dict[tuple[str, str], list[Contradiction]] = {}
    for contradiction in sources.prose or ():
        prose.setdefault((contradiction.operation, contradiction.location), []).append(contradiction)
    places: dict[tuple[str, str], None] = {}
    for declared in sources.spec.values():
        places.update(dict.fromkeys((declared.id, location) for location in declared.places))
    others: list[Mapping[tuple[str, str], object]] = [*changes.values(), facts, prose]
    for known in others:
        places.update(dict.fromkeys(known))
    order = {operation: number for number, operation in enumerate(sources.spec)}
    ordered = sorted(places, key=lambda place: order.get(place[0], len(order)))
    rows = []
    for operation, location in ordered:
        cells: dict[str, Cell] = {}
        for column in sources.columns:
            if column == TRAFFIC:
                cells[column] = _traffic_cell(sources, operation, location, facts.get((operation, location), []))
            elif column == PROSE:
                cells[column] = _prose_cell(prose.get((operation, location), []))
            else:
                found = changes[column].get((operation, location), [])
                cells[column] = _described_cell(sources, column, operation, location, found)
        here = [one for by_place in changes.values() for one in by_place.get((operation, location), ())]
        misled = any(one.misleads for one in prose.get((operation, location), ()))
        row = _row(sources, operation, location, cells, here, facts.get((operation, location), []))
        rows.append(replace(row, breaks=_misled(location)) if misled and row.breaks in ("", NOBODY) else row)
    return Table(sources.columns, tuple(rows))


def _by_place(changes: Iterable[Change]) -> dict[tuple[str, str], list[Change]]:
    found: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        found.setdefault((change.operation or "", change.location), []).append(change)
    return found


def _facts_by_place(observed: Mapping[str, Observed]) -> dict[tuple[str, str], list[Fact]]:
    found: dict[tuple[str, str], list[Fact]] = {}
    for one in observed.values():
        for fact in one.facts:
            found.setdefault((fact.operation, fact.location), []).append(fact)
    return found


def _row(
    sources: Sources, operation: str, location: str, cells: dict[str, Cell], changes: list[Change], facts: list[Fact]
) -> Row:
    ours = sources.spec.get(operation)
    spec = ours.says(location) if ours else ""
    differs = [name for name, cell in cells.items() if cell.state == DIFFERS]
    breaks = _breaks(changes, facts) if differs else ""
    return Row(operation, location, spec, cells, breaks, _cause(location, differs, cells))


def _described_cell(sources: Sources, column: str, operation: str, location: str, changes: list[Change]) -> Cell:
    theirs = sources.described[column][1].get(operation)
    if changes:
        return Cell(DIFFERS, " ".join(dict.fromkeys(change.message for change in changes)))
    says = theirs.says(location) if theirs else ""
    return Cell(AGREES, says) if says else Cell(SILENT)


def _traffic_cell(sources: Sources, operation: str, location: str, facts: list[Fact]) -> Cell:
    observed = (sources.observed or {}).get(operation)
    if facts:
        return Cell(DIFFERS, "; ".join(f"{fact.message} ({fact.count} of {fact.of})" for fact in facts))
    if observed is None:
        return Cell(UNEXERCISED)
    if location == "operation":
        return Cell(AGREES, f"{observed.exchanges} exchanges")
    answered = observed.answered.get(location, 0)
    if answered:
        return Cell(AGREES, f"seen {answered}×")
    seen = observed.fields.get(location)
    return Cell(AGREES, _shares(seen)) if seen and seen.seen else Cell(UNEXERCISED)


def _shares(seen: FieldSeen) -> str:
    words = [f"seen {seen.seen}×", " or ".join(seen.types)]
    words += [f"null {seen.null_share:.0%}"] if seen.null else []
    words += [f"absent {seen.absent_share:.0%}"] if seen.absent else []
    return ", ".join(filter(None, words))


def _prose_cell(contradictions: list[Contradiction]) -> Cell:
    if not contradictions:
        return Cell(SILENT)
    told = (f"{one.says} ({one.where}){f'; held: {one.holds}' if one.holds else ''}" for one in contradictions)
    return Cell(DIFFERS, ". ".join(told))


def _breaks(changes: list[Change], facts: list[Fact]) -> str:
    breaking = [change for change in changes if change.breaking]
    if any(change.direction != "response" for change in breaking):
        return CALLERS
    answers = [fact for fact in facts if fact.location.startswith("response")]
    told = any(fact.kind in _READER_FACTS or _new_success(fact) for fact in answers)
    if any(fact.kind == "never-served" for fact in facts):
        return CALLERS
    return READERS if breaking or told else NOBODY


def _misled(location: str) -> str:
    """Who breaks by following the prose: whoever sends, or whoever reads."""
    return READERS if location.startswith("response") else CALLERS


def _new_success(fact: Fact) -> bool:
    return fact.kind == "undeclared-status" and fact.location.startswith("response.2")


def _cause(location: str, differs: list[str], cells: Mapping[str, Cell]) -> str:
    """Which source the difference is of. The instance speaks twice: by the document it serves, and by what it does."""
    if differs == [TRAFFIC] and location.startswith("request"):
        return "What was sent is not what we describe."
    served, traffic = (cells.get(name, Cell(SILENT)).state for name in (SERVED, TRAFFIC))
    if served == DIFFERS and traffic == DIFFERS:
        return "The instance behaves otherwise than we describe, and so does the document it serves."
    if traffic == DIFFERS:
        told = " while the document it serves does not say so" if served in (AGREES, SILENT) and SERVED in cells else ""
        return f"The instance behaves otherwise than we describe{told}."
    if served == DIFFERS:
        told = " but the instance behaves as ours says" if traffic == AGREES else ""
        return f"The served document says otherwise than ours{told or ''}."
    if SDK in differs:
        return "The vendor's client was generated from another description than ours."
    return "The tutorial's prose says otherwise than the contract." if PROSE in differs else ""


_PLACES = {
    "status.get-deployment.reads-name-rather-than-id": "request.body.name",
    "status.get-deployment.lists-details-as-texts": "response.200.body.details[]",
    "status.get-deployment.is-404-once-gone": "response.404",
    "pipelines.create.reads-the-definition-as-an-object": "request.body.definition",
    "pipelines.create.names-model-versions-by-uuid": "request.body.definition.steps[].ModelInference.models[].version",
    "pipelines.create.takes-the-workspace-it-is-given": "request.body.workspace_id",
    "pipelines.create.code-of-the-example-is-mistaken": "response.200.body.pipeline_variant_version",
    "pipelines.create.errors-have-msg-and-code": "response.400.body",
    "pipelines.deploy.reads-engine-config-as-an-object": "request.body.engine_config",
    "pipelines.deploy.calls-a-version-by-three-names": "request.body.pipeline_version_pk_id",
    "pipelines.deploy.wants-models-or-not": "request.body.models",
    "pipelines.deploy.takes-a-deploy-id-unlike-the-name": "request.body.deploy_id",
    "pipelines.copy.takes-what-stands-under-returns": "request.body",
    "pipelines.copy.its-ids-need-not-match-the-example": "response.200.body.pipeline_pk_id",
    "pipelines.undeploy.is-asked-by-either-id": "request.body",
    "pipelines.undeploy.returns-nothing-as-null": "response.200.body",
    "pipelines.infer.writes-last-model-as-a-text": "response.200.body[].metadata.last_model",
    "admin.get-pipeline-external-url.is-asked-by-the-pipelines-name": "request.body.pipeline_name",
    "admin.get-pipeline-external-url.is-404-for-the-unknown": "response.404",
    "models.upload-and-convert.takes-a-file-name-without-ending": "request.body.file",
    "models.upload-and-convert.is-accepted-not-done": "response.202",
    "models.upload-and-convert.answers-the-versions-id": ("response.202.body.insert_models.returning[].models[].id"),
    "models.upload-and-convert.takes-any-visibility": "request.body.metadata.visibility",
    "models.list-versions.joins-its-filters-by-or": "request.body",
    "models.list-versions.has-no-order": "response.200.body",
    "models.list-versions.tells-a-status-of-its-own": "response.200.body[].status",
    "models.list-versions.owners-are-not-always-uuids": "response.200.body[].owner_id",
    "workspaces.list.creators-are-not-always-uuids": "response.200.body.workspaces[].created_by",
}
"""The place each contradiction is about; those not listed are about the operation as a whole."""


def contradictions(rows: Iterable[Requirement]) -> tuple[Contradiction, ...]:
    """The rows that have readings: what the other readings say, where they stand, and the reading that holds.

    A reading that the catalogue calls fair breaks nobody who follows it.
    """
    found = []
    for row in rows:
        readings = dict(row.notes.get("readings", {}))
        held, fair = row.notes.get("held", ""), row.notes.get("fair", ())
        others = [text for name, text in readings.items() if name != held]
        if readings and others:
            misleads = any(name != held and name not in fair for name in readings)
            where = str(row.notes.get("heading") or row.source)
            place = _PLACES.get(row.id, "operation")
            says = "; ".join(others)
            found.append(Contradiction(row.operation, place, says, where, str(readings.get(held, "")), misleads))
    return tuple(found)
