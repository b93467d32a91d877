"""The instance's state as the tables of its GraphQL interface: columns by type, and which rows belong to which.

Names of tables and columns are those that the vendor's SDK asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from conformance.emulator.inventory import created_on, shown_config
from conformance.emulator.state import State

Record = dict[str, Any]


class Link(NamedTuple):
    """Rows of `table` whose column `theirs` has the value of our column `ours`."""

    table: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class Table:
    """One table: the query that gives its rows, the type of each column, the one row or the many it leads to."""

    query: str
    columns: Mapping[str, str]
    one: Mapping[str, Link] = field(default_factory=dict)
    many: Mapping[str, Link] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The type of the primary key, empty where there is none."""
        return self.columns.get("id", "")


TABLES: dict[str, Table] = {
    "workspace": Table(
        "SELECT *, 0 AS archived, created_by AS owner_id FROM workspace",
        {
            "id": "bigint",
            "name": "String",
            "created_at": "timestamptz",
            "created_by": "String",
            "owner_id": "String",
            "archived": "Boolean",
        },
        many={
            "users": Link("workspace_users", "id", "workspace_id"),
            "user_default_workspaces": Link("user_default_workspace", "id", "workspace_id"),
            "models": Link("models", "id", "workspace_id"),
            "pipelines": Link("pipeline", "id", "workspace_id"),
        },
    ),
    "workspace_users": Table(
        "SELECT * FROM workspace_users",
        {"id": "bigint", "workspace_id": "bigint", "user_id": "String", "user_type": "String"},
        one={"workspace": Link("workspace", "workspace_id", "id")},
    ),
    "user_default_workspace": Table(
        "SELECT * FROM user_default_workspace",
        {"user_id": "String", "workspace_id": "bigint"},
        one={"workspace": Link("workspace", "workspace_id", "id")},
    ),
    "models": Table(
        """SELECT m.*, v.owner_id, coalesce(v.updated_at, m.created_at) AS updated_at FROM model m LEFT JOIN
           (SELECT model_id, owner_id, max(created_at) AS updated_at FROM model_version GROUP BY model_id) v
           ON v.model_id = m.id""",
        {
            "id": "bigint",
            "name": "String",
            "workspace_id": "bigint",
            "owner_id": "String",
            "created_at": "timestamptz",
            "updated_at": "timestamptz",
        },
        one={"workspace": Link("workspace", "workspace_id", "id")},
        many={"models": Link("model", "id", "models_pk_id")},
    ),
    "model": Table(
        """SELECT v.id, m.name AS model_id, v.version AS model_version, v.model_id AS models_pk_id, v.sha, v.status,
           v.file_name, v.owner_id, v.visibility, v.conversion, v.created_at, v.created_at AS updated_at,
           NULL AS image_path, NULL AS task_id,
           CASE v.status WHEN 'error' THEN 'the model could not be loaded' END AS error_summary
           FROM model_version v JOIN model m ON m.id = v.model_id""",
        {
            "id": "bigint",
            "model_id": "String",
            "model_version": "String",
            "models_pk_id": "bigint",
            "sha": "bpchar",
            "status": "String",
            "file_name": "String",
            "owner_id": "String",
            "visibility": "String",
            "conversion": "jsonb",
            "created_at": "timestamptz",
            "updated_at": "timestamptz",
            "image_path": "String",
            "task_id": "String",
            "error_summary": "String",
            "created_on_version": "String",
        },
        one={"model": Link("models", "models_pk_id", "id")},
        many={
            "model_configs": Link("model_config", "id", "model_id"),
            "model_tags": Link("model_tag", "id", "model_id"),
        },
    ),
    "model_config": Table(
        """SELECT id, id AS model_id, NULL AS settings FROM model_version
           UNION ALL SELECT id, version_id, settings FROM model_config""",
        {
            "id": "bigint",
            "model_id": "bigint",
            "runtime": "String",
            "tensor_fields": "jsonb",
            "filter_threshold": "float8",
            "input_schema": "String",
            "output_schema": "String",
            "batch_config": "String",
            "dynamic_batching_config": "jsonb",
            "continuous_batching_config": "jsonb",
            "openai": "jsonb",
        },
        one={"model": Link("model", "model_id", "id")},
    ),
    "pipeline": Table(
        """SELECT p.id, p.name AS pipeline_id, p.workspace_id, p.visibility, p.created_at,
           coalesce(max(v.created_at), p.created_at) AS updated_at, '""' AS owner_id
           FROM pipeline p LEFT JOIN variant v ON v.pipeline_id = p.id GROUP BY p.id""",
        {
            "id": "bigint",
            "pipeline_id": "String",
            "workspace_id": "bigint",
            "owner_id": "String",
            "visibility": "String",
            "created_at": "timestamptz",
            "updated_at": "timestamptz",
        },
        one={
            "workspace": Link("workspace", "workspace_id", "id"),
            "deployment": Link("deployment", "id", "pipeline_id"),
        },
        many={
            "pipeline_versions": Link("pipeline_version", "id", "pipeline_pk_id"),
            "pipeline_tags": Link("pipeline_tag", "id", "pipeline_pk_id"),
        },
    ),
    "pipeline_version": Table(
        """SELECT id, pipeline_id AS pipeline_pk_id, version, definition, created_at, created_at AS updated_at,
           '""' AS owner_id FROM variant""",
        {
            "id": "bigint",
            "pipeline_pk_id": "bigint",
            "version": "uuid",
            "definition": "jsonb",
            "owner_id": "String",
            "created_at": "timestamptz",
            "updated_at": "timestamptz",
            "created_on_version": "String",
        },
        one={"pipeline": Link("pipeline", "pipeline_pk_id", "id")},
        many={
            "deployment_pipeline_versions": Link("deployment_pipeline_version", "id", "pipeline_version_pk_id"),
            "deployment_model_configs": Link("deployment_model_configs", "id", "pipeline_version_pk_id"),
            "pipeline_publishes": Link("pipeline_publish", "id", "pipeline_version_id"),
        },
    ),
    "deployment": Table(
        """SELECT d.id, d.pipeline_id, d.stopped IS NULL AS deployed, d.engine_config, d.created_at,
           NULL AS limit_status,
           (SELECT name FROM deployment_name n WHERE n.deployment_id = d.id ORDER BY n.rowid DESC LIMIT 1) AS deploy_id
           FROM deployment d""",
        {
            "id": "bigint",
            "deploy_id": "String",
            "pipeline_id": "bigint",
            "deployed": "Boolean",
            "engine_config": "jsonb",
            "limit_status": "jsonb",
            "created_at": "timestamptz",
        },
        one={"pipeline": Link("pipeline", "pipeline_id", "id")},
        many={
            "deployment_model_configs": Link("deployment_model_configs", "id", "deployment_id"),
            "deployment_pipeline_versions": Link("deployment_pipeline_version", "id", "deployment_id"),
        },
    ),
    "deployment_model_configs": Table(
        """SELECT d.id AS deployment_id, d.variant_id AS pipeline_version_pk_id,
           coalesce((SELECT max(c.id) FROM model_config c WHERE c.version_id = s.value ->> 'id'), s.value ->> 'id')
           AS model_config_id FROM deployment d, json_each(d.models) s""",
        {"deployment_id": "bigint", "pipeline_version_pk_id": "bigint", "model_config_id": "bigint"},
        one={
            "deployment": Link("deployment", "deployment_id", "id"),
            "pipeline_version": Link("pipeline_version", "pipeline_version_pk_id", "id"),
            "model_config": Link("model_config", "model_config_id", "id"),
        },
    ),
    "deployment_pipeline_version": Table(
        """SELECT id AS deployment_id, variant_id AS pipeline_version_pk_id, created_at, created_at AS updated_at
           FROM deployment""",
        {
            "deployment_id": "bigint",
            "pipeline_version_pk_id": "bigint",
            "created_at": "timestamptz",
            "updated_at": "timestamptz",
        },
        one={
            "deployment": Link("deployment", "deployment_id", "id"),
            "pipeline_version": Link("pipeline_version", "pipeline_version_pk_id", "id"),
        },
    ),
    "pipeline_publish": Table(
        "SELECT NULL AS id WHERE 0",  # nothing is published here
        {
            "id": "bigint",
            "pipeline_version_id": "bigint",
            "chart_url": "String",
            "engine_url": "String",
            "pipeline_url": "String",
            "engine_config": "jsonb",
            "status": "String",
            "user_images": "jsonb",
            "created_at": "timestamptz",
            "created_by": "String",
            "updated_at": "timestamptz",
            "created_on_version": "String",
        },
    ),
    "tag": Table(
        "SELECT * FROM tag",
        {"id": "bigint", "tag": "String"},
        many={
            "model_tags": Link("model_tag", "id", "tag_id"),
            "pipeline_tags": Link("pipeline_tag", "id", "tag_pk_id"),
        },
    ),
    "model_tag": Table(
        "SELECT * FROM model_tag",
        {"id": "bigint", "model_id": "bigint", "tag_id": "bigint"},
        one={"model": Link("model", "model_id", "id"), "tag": Link("tag", "tag_id", "id")},
    ),
    "pipeline_tag": Table(
        "SELECT * FROM pipeline_tag",
        {"id": "bigint", "pipeline_pk_id": "bigint", "tag_pk_id": "bigint"},
        one={"pipeline": Link("pipeline", "pipeline_pk_id", "id"), "tag": Link("tag", "tag_pk_id", "id")},
    ),
}


class Rows:
    """The tables' rows as they are now; each table is read once, when it is first asked for."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._read: dict[str, list[Record]] = {}

    def of(self, table: str) -> list[Record]:
        """All rows of a table, in the order of their ids."""
        if table not in self._read:
            found = [self._row(table, dict(row)) for row in self._state.store.all(TABLES[table].query)]
            self._read[table] = sorted(found, key=lambda row: row.get("id") or 0)
        return self._read[table]

    def linked(self, link: Link, row: Record) -> list[Record]:
        """The rows that `link` leads to from this one."""
        return [other for other in self.of(link.table) if other[link.theirs] == row[link.ours]]

    def _row(self, table: str, row: Record) -> Record:
        if table == "model_config":
            return {**row, **shown_config(row if row["settings"] else None, row["model_id"])}
        for name, kind in TABLES[table].columns.items():
            if kind == "jsonb" and isinstance(row.get(name), str):
                row[name] = orjson.loads(row[name])
            elif kind == "Boolean":
                row[name] = bool(row[name])
            elif name == "created_on_version":
                row[name] = created_on(self._state)
        return row
