"""GraphQL over the instance's state, shaped as Hasura shapes it: filters, orders and inserts by table.

The vendor's SDK asks for the schema first, and checks each of its queries against it before it sends one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import graphql as core

from conformance.emulator import fields
from conformance.emulator.state import State
from conformance.emulator.store import timestamp
from conformance.emulator.tables import TABLES, Link, Record, Rows, Table
from conformance.emulator.wire import Answer, Call, answered

_SCALARS: dict[str, core.GraphQLScalarType] = {
    "String": core.GraphQLString,
    "Boolean": core.GraphQLBoolean,
    **{name: core.GraphQLScalarType(name) for name in ("bigint", "jsonb", "timestamptz", "float8", "uuid", "bpchar")},
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "_eq": lambda value, given: value == given,
    "_neq": lambda value, given: value != given,
    "_gt": lambda value, given: value > given,
    "_gte": lambda value, given: value >= given,
    "_lt": lambda value, given: value < given,
    "_lte": lambda value, given: value <= given,
    "_in": lambda value, given: value in given,
    "_nin": lambda value, given: value not in given,
}
_ORDER = core.GraphQLEnumType("order_by", {name: core.GraphQLEnumValue(name) for name in ("asc", "desc")})
_INSERTED = {
    "tag": ("tag",),
    "model_tag": ("model_id", "tag_id"),
    "pipeline_tag": ("pipeline_pk_id", "tag_pk_id"),
    "workspace_users": ("workspace_id", "user_id", "user_type"),
}
"""Tables that can be added to and taken from as they are, and their columns that are given."""
_UPDATED = {"model": ("model_version", "visibility"), "pipeline": ("pipeline", "visibility")}
"""Tables of which one column can be changed: the table that has it, and the column."""


async def answer(call: Call, state: State) -> Answer:
    """The answer to one query or mutation; what is wrong with it is said in `errors`, under 200."""
    body = fields.json_object(call)
    with state.store.transaction():
        result = core.graphql_sync(
            _schema(),
            fields.text(body, "query"),
            context_value=_Context(state, call.user),
            variable_values=dict(fields.optional_mapping(body, "variables") or {}),
            operation_name=fields.optional_text(body, "operationName"),
        )
    if result.errors:
        return answered({"errors": [_error(error) for error in result.errors]})
    return answered({"data": result.data})


def _error(error: core.GraphQLError) -> dict[str, Any]:
    path = ".".join(["$", *(str(part) for part in error.path or ())])
    code = "validation-failed" if error.original_error is None else "constraint-violation"
    return {"message": error.message, "extensions": {"path": path, "code": code}}


class _Context:
    """What resolvers work on: the instance, who asks, and the rows as they stand after the last change."""

    def __init__(self, state: State, user: str) -> None:
        self.store = state.store
        self.user = user
        self._state = state
        self.rows = Rows(state)

    def changed(self) -> None:
        """Read rows anew from here on."""
        self.rows = Rows(self._state)


def _chosen(context: _Context, name: str, rows: list[Record], given: Mapping[str, Any]) -> list[Record]:
    """These rows of a table as the arguments where, order_by, distinct_on, offset and limit have them."""
    found = [row for row in rows if _matches(context.rows, name, row, given.get("where") or {})]
    for order in reversed(given.get("order_by") or []):
        for column, direction in reversed(order.items()):
            found.sort(key=lambda row: _sortable(context.rows, name, row, column, direction), reverse=_falls(direction))
    if distinct := given.get("distinct_on"):
        found = list({tuple(row[column] for column in distinct): row for row in reversed(found)}.values())[::-1]
    start = given.get("offset") or 0
    return found[start:] if given.get("limit") is None else found[start : start + given["limit"]]


def _falls(direction: Any) -> bool:
    return _falls(next(iter(direction.values()))) if isinstance(direction, dict) else direction == "desc"


def _sortable(rows: Rows, name: str, row: Record, column: str, direction: Any) -> Any:
    """What a row is sorted by; a column of the one row that it leads to where the order goes on there."""
    if isinstance(direction, dict):
        link = TABLES[name].one[column]
        inner, onward = next(iter(direction.items()))
        return next((_sortable(rows, link.table, other, inner, onward) for other in rows.linked(link, row)), (True, 0))
    return row[column] is None, row[column] if row[column] is not None else 0


def _matches(rows: Rows, name: str, row: Record, where: Mapping[str, Any]) -> bool:
    table = TABLES[name]
    for key, wanted in where.items():
        if key == "_and":
            fits = all(_matches(rows, name, row, each) for each in wanted)
        elif key == "_or":
            fits = any(_matches(rows, name, row, each) for each in wanted)
        elif key == "_not":
            fits = not _matches(rows, name, row, wanted)
        elif key in table.columns:
            fits = all(_compares(row[key], how, given) for how, given in (wanted or {}).items())
        else:
            link = table.one.get(key) or table.many[key]
            fits = any(_matches(rows, link.table, other, wanted or {}) for other in rows.linked(link, row))
        if not fits:
            return False
    return True


def _compares(value: Any, how: str, given: Any) -> bool:
    if how == "_is_null":
        return (value is None) is given
    return value is not None and given is not None and _COMPARISONS[how](value, given)


@cache
def _schema() -> core.GraphQLSchema:
    """The schema: for each table a type, its filters and orders, and queries for many, for one, and by key."""
    query = {}
    for name, table in TABLES.items():
        query[name] = core.GraphQLField(_many(_object(name)), _arguments(name), _resolve_all(name))
        if table.key:
            key = {"id": core.GraphQLArgument(core.GraphQLNonNull(_SCALARS[table.key]))}
            query[f"{name}_by_pk"] = core.GraphQLField(_object(name), key, _resolve_by_key(name))
    for name, found, search in (
        ("search_pipelines", "pipeline_version", _pipeline_texts),
        ("search_models", "model", _model_texts),
    ):
        term = core.GraphQLInputObjectType(f"{name}_args", {"search": core.GraphQLInputField(core.GraphQLString)})
        arguments = {"args": core.GraphQLArgument(core.GraphQLNonNull(term)), **_arguments(found)}
        query[name] = core.GraphQLField(_many(_object(found)), arguments, _resolve_search(found, search))
    return core.GraphQLSchema(
        core.GraphQLObjectType("query_root", query), core.GraphQLObjectType("mutation_root", _mutations())
    )


def _many(kind: Any) -> Any:
    return core.GraphQLNonNull(core.GraphQLList(core.GraphQLNonNull(kind)))


@cache
def _object(name: str) -> core.GraphQLObjectType:
    return core.GraphQLObjectType(name, lambda: _columns(TABLES[name]))


def _columns(table: Table) -> dict[str, core.GraphQLField]:
    shown = {}
    for name, kind in table.columns.items():
        path = {"path": core.GraphQLArgument(core.GraphQLString)} if kind == "jsonb" else {}
        shown[name] = core.GraphQLField(_SCALARS[kind], path, _resolve_column(name))
    for name, link in table.one.items():
        shown[name] = core.GraphQLField(_object(link.table), resolve=_resolve_one(link))
    for name, link in table.many.items():
        shown[name] = core.GraphQLField(_many(_object(link.table)), _arguments(link.table), _resolve_many(link))
        nodes = core.GraphQLField(_many(_object(link.table)), resolve=lambda found, info: found)
        aggregate = core.GraphQLObjectType(f"{_owner(table)}_{name}_aggregate", {"nodes": nodes})
        arguments = _arguments(link.table)
        shown[f"{name}_aggregate"] = core.GraphQLField(aggregate, arguments, _resolve_many(link))
    return shown


def _owner(table: Table) -> str:
    return next(name for name, each in TABLES.items() if each is table)


def _arguments(name: str) -> dict[str, core.GraphQLArgument]:
    """What a query for many rows takes."""
    columns = core.GraphQLList(core.GraphQLNonNull(_column_names(name)))
    return {
        "where": core.GraphQLArgument(_filter(name)),
        "order_by": core.GraphQLArgument(core.GraphQLList(core.GraphQLNonNull(_order(name)))),
        "distinct_on": core.GraphQLArgument(columns),
        "limit": core.GraphQLArgument(core.GraphQLInt),
        "offset": core.GraphQLArgument(core.GraphQLInt),
    }


@cache
def _column_names(name: str) -> core.GraphQLEnumType:
    names = {column: core.GraphQLEnumValue(column) for column in TABLES[name].columns}
    return core.GraphQLEnumType(f"{name}_select_column", names)


@cache
def _comparison(kind: str) -> core.GraphQLInputObjectType:
    scalar = _SCALARS[kind]
    kinds = {
        how: core.GraphQLList(core.GraphQLNonNull(scalar)) if how.endswith("in") else scalar for how in _COMPARISONS
    }
    known = {how: core.GraphQLInputField(each) for how, each in kinds.items()}
    known["_is_null"] = core.GraphQLInputField(core.GraphQLBoolean)
    return core.GraphQLInputObjectType(f"{kind}_comparison_exp", known)


@cache
def _filter(name: str) -> core.GraphQLInputObjectType:
    def conditions() -> dict[str, core.GraphQLInputField]:
        table, own = TABLES[name], core.GraphQLList(core.GraphQLNonNull(_filter(name)))
        return {
            "_and": core.GraphQLInputField(own),
            "_or": core.GraphQLInputField(own),
            "_not": core.GraphQLInputField(_filter(name)),
            **{column: core.GraphQLInputField(_comparison(kind)) for column, kind in table.columns.items()},
            **{
                each: core.GraphQLInputField(_filter(to.table))
                for each, to in (*table.one.items(), *table.many.items())
            },
        }

    return core.GraphQLInputObjectType(f"{name}_bool_exp", conditions)


@cache
def _order(name: str) -> core.GraphQLInputObjectType:
    def columns() -> dict[str, core.GraphQLInputField]:
        table = TABLES[name]
        return {
            **{column: core.GraphQLInputField(_ORDER) for column in table.columns},
            **{each: core.GraphQLInputField(_order(link.table)) for each, link in table.one.items()},
        }

    return core.GraphQLInputObjectType(f"{name}_order_by", columns)


def _resolve_all(name: str) -> Any:
    return lambda root, info, **given: _chosen(info.context, name, info.context.rows.of(name), given)


def _resolve_by_key(name: str) -> Any:
    return lambda root, info, **key: next((row for row in info.context.rows.of(name) if row["id"] == key["id"]), None)


def _resolve_column(name: str) -> Any:
    def resolve(row: Record, info: Any, path: str | None = None) -> Any:
        value = row.get(name)
        return value.get(path) if path is not None and isinstance(value, dict) else value

    return resolve


def _resolve_one(link: Link) -> Any:
    """The one row, the newest where there are several."""
    return lambda row, info: next(reversed(info.context.rows.linked(link, row)), None)


def _resolve_many(link: Link) -> Any:
    return lambda row, info, **given: _chosen(info.context, link.table, info.context.rows.linked(link, row), given)


def _resolve_search(name: str, texts: Callable[[Rows, Record], list[str]]) -> Any:
    def resolve(root: Any, info: Any, args: Mapping[str, str], **given: Any) -> list[Record]:
        term, rows = args.get("search") or "", info.context.rows
        found = [row for row in rows.of(name) if not term or any(term in text for text in texts(rows, row))]
        return _chosen(info.context, name, found, given)

    return resolve


def _pipeline_texts(rows: Rows, version: Record) -> list[str]:
    """What a search for a version of a pipeline looks at: its name, its UUID, and the pipeline's tags."""
    table = TABLES["pipeline_version"]
    names = [pipeline["pipeline_id"] for pipeline in rows.linked(table.one["pipeline"], version)]
    links = [tag for tag in rows.of("pipeline_tag") if tag["pipeline_pk_id"] == version["pipeline_pk_id"]]
    return [*names, version["version"], *_tags(rows, [link["tag_pk_id"] for link in links])]


def _model_texts(rows: Rows, model: Record) -> list[str]:
    """What a search for a version of a model looks at: names, UUID, SHA-256, and tags."""
    links = rows.linked(TABLES["model"].many["model_tags"], model)
    own = [str(model[name]) for name in ("model_id", "model_version", "sha", "file_name")]
    return [*own, *_tags(rows, [link["tag_id"] for link in links])]


def _tags(rows: Rows, ids: list[int]) -> list[str]:
    return [tag["tag"] for tag in rows.of("tag") if tag["id"] in ids]


def _mutations() -> dict[str, core.GraphQLField]:
    """What can be changed: tags, members of workspaces, what is visible, and a user's default workspace."""
    found = {"insert_workspace_one": _insert_workspace()}
    for name, columns in _INSERTED.items():
        given = {column: core.GraphQLInputField(_SCALARS[TABLES[name].columns[column]]) for column in columns}
        record = core.GraphQLInputObjectType(f"{name}_insert_input", given)
        objects = {"objects": core.GraphQLArgument(_many(record))}
        found[f"insert_{name}"] = core.GraphQLField(_changed(name), objects, _resolve_insert(name))
        where = {"where": core.GraphQLArgument(core.GraphQLNonNull(_filter(name)))}
        found[f"delete_{name}"] = core.GraphQLField(_changed(name), where, _resolve_delete(name))
    for name, (_, column) in _UPDATED.items():
        values = {column: core.GraphQLInputField(_SCALARS[TABLES[name].columns[column]])}
        arguments = {
            "where": core.GraphQLArgument(core.GraphQLNonNull(_filter(name))),
            "_set": core.GraphQLArgument(core.GraphQLInputObjectType(f"{name}_set_input", values)),
        }
        found[f"update_{name}"] = core.GraphQLField(_changed(name), arguments, _resolve_update(name))
    return found


@cache
def _changed(name: str) -> core.GraphQLObjectType:
    shown = {
        "affected_rows": core.GraphQLField(core.GraphQLInt, resolve=lambda rows, info: len(rows)),
        "returning": core.GraphQLField(_many(_object(name)), resolve=lambda rows, info: rows),
    }
    return core.GraphQLObjectType(f"{name}_mutation_response", shown)


def _resolve_insert(name: str) -> Any:
    def resolve(root: Any, info: Any, objects: list[dict[str, Any]]) -> list[Record]:
        try:
            made = [info.context.store.add(name, **each) for each in objects]
        except sqlite3.IntegrityError as error:
            raise core.GraphQLError(_violation(error)) from error
        info.context.changed()
        return [row for row in info.context.rows.of(name) if row["id"] in made]

    return resolve


def _resolve_delete(name: str) -> Any:
    def resolve(root: Any, info: Any, where: Mapping[str, Any]) -> list[Record]:
        gone = _chosen(info.context, name, info.context.rows.of(name), {"where": where})
        for row in gone:
            info.context.store.execute(f"DELETE FROM {name} WHERE id = ?", row["id"])  # noqa: S608 - a name of ours
        return gone

    return resolve


def _resolve_update(name: str) -> Any:
    table, column = _UPDATED[name]

    def resolve(root: Any, info: Any, where: Mapping[str, Any], _set: Mapping[str, Any]) -> list[Record]:
        meant = [row["id"] for row in _chosen(info.context, name, info.context.rows.of(name), {"where": where})]
        query = f"UPDATE {table} SET {column} = ? WHERE id = ?"  # noqa: S608 - names of ours
        for number in meant if column in _set else ():
            info.context.store.execute(query, _set[column], number)
        info.context.changed()
        return [row for row in info.context.rows.of(name) if row["id"] in meant]

    return resolve


def _insert_workspace() -> core.GraphQLField:
    """A workspace with its members and those whose default it becomes; nothing where its name is taken."""

    def nested(name: str, columns: tuple[str, ...]) -> core.GraphQLInputField:
        given = {column: core.GraphQLInputField(core.GraphQLString) for column in columns}
        record = core.GraphQLInputObjectType(f"{name}_of_workspace_insert_input", given)
        data = {"data": core.GraphQLInputField(_many(record))}
        return core.GraphQLInputField(core.GraphQLInputObjectType(f"{name}_arr_rel_insert_input", data))

    texts = {name: core.GraphQLInputField(core.GraphQLString) for name in ("name", "created_by", "owner_id")}
    record = core.GraphQLInputObjectType(
        "workspace_insert_input",
        {
            **texts,
            "archived": core.GraphQLInputField(core.GraphQLBoolean),
            "users": nested("workspace_users", ("user_id", "user_type")),
            "user_default_workspaces": nested("user_default_workspace", ("user_id",)),
        },
    )
    constraint = core.GraphQLEnumType("workspace_constraint", {"workspace_name_key": core.GraphQLEnumValue("name")})
    columns = core.GraphQLList(core.GraphQLNonNull(_column_names("workspace")))
    conflict = core.GraphQLInputObjectType(
        "workspace_on_conflict",
        {"constraint": core.GraphQLInputField(constraint), "update_columns": core.GraphQLInputField(columns)},
    )
    arguments = {
        "object": core.GraphQLArgument(core.GraphQLNonNull(record)),
        "on_conflict": core.GraphQLArgument(conflict),
    }
    return core.GraphQLField(_object("workspace"), arguments, _resolve_insert_workspace)


def _resolve_insert_workspace(root: Any, info: Any, on_conflict: Any = None, **given: Any) -> Record | None:
    store, made_of = info.context.store, given["object"]
    name = made_of.get("name")
    if store.one("SELECT 1 FROM workspace WHERE name = ?", name):
        if on_conflict is None:
            raise core.GraphQLError("Uniqueness violation: a workspace of that name exists.")
        return None
    maker = made_of.get("created_by") or made_of.get("owner_id") or info.context.user
    made = store.add("workspace", name=name, created_at=timestamp(), created_by=maker)
    for member in (made_of.get("users") or {}).get("data", ()):
        kind = member.get("user_type") or "OWNER"
        store.add("workspace_users", workspace_id=made, user_id=member["user_id"], user_type=kind)
    for user in (made_of.get("user_default_workspaces") or {}).get("data", ()):
        store.execute("INSERT OR REPLACE INTO user_default_workspace VALUES (?, ?)", user["user_id"], made)
    info.context.changed()
    found: Record = next(row for row in info.context.rows.of("workspace") if row["id"] == made)
    return found


def _violation(error: sqlite3.IntegrityError) -> str:
    kind = "Uniqueness" if "UNIQUE" in str(error) else "Foreign key"
    return f"{kind} violation: {'it exists already' if kind == 'Uniqueness' else 'an id names nothing'}."
