"""What the instance has been told, in SQLite; models as files named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance.errors import UsageError

Row = sqlite3.Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS workspace (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL, created_by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS model (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workspace_id INTEGER NOT NULL REFERENCES workspace, name TEXT NOT NULL,
    UNIQUE (workspace_id, name));
CREATE TABLE IF NOT EXISTS model_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT, model_id INTEGER NOT NULL REFERENCES model, version TEXT NOT NULL,
    sha TEXT NOT NULL, file_name TEXT NOT NULL, owner_id TEXT NOT NULL, status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS versions_of_model ON model_version (model_id);
CREATE TABLE IF NOT EXISTS pipeline (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workspace_id INTEGER NOT NULL REFERENCES workspace, name TEXT NOT NULL,
    UNIQUE (workspace_id, name));
CREATE TABLE IF NOT EXISTS variant (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pipeline_id INTEGER NOT NULL REFERENCES pipeline, version TEXT NOT NULL,
    definition TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS variants_of_pipeline ON variant (pipeline_id);
CREATE TABLE IF NOT EXISTS deployment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pipeline_id INTEGER NOT NULL REFERENCES pipeline,
    variant_id INTEGER NOT NULL REFERENCES variant, models TEXT NOT NULL, pods TEXT NOT NULL,
    started REAL NOT NULL, stopped REAL);
CREATE TABLE IF NOT EXISTS model_config (
    id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL REFERENCES model_version,
    settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS workspace_users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workspace_id INTEGER NOT NULL REFERENCES workspace, user_id TEXT NOT NULL,
    user_type TEXT NOT NULL, UNIQUE (workspace_id, user_id));
CREATE TABLE IF NOT EXISTS user_default_workspace (
    user_id TEXT PRIMARY KEY, workspace_id INTEGER NOT NULL REFERENCES workspace);
CREATE TABLE IF NOT EXISTS tag (id INTEGER PRIMARY KEY AUTOINCREMENT, tag TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS model_tag (
    id INTEGER PRIMARY KEY AUTOINCREMENT, model_id INTEGER NOT NULL REFERENCES model_version,
    tag_id INTEGER NOT NULL REFERENCES tag, UNIQUE (model_id, tag_id));
CREATE TABLE IF NOT EXISTS pipeline_tag (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pipeline_pk_id INTEGER NOT NULL REFERENCES pipeline,
    tag_pk_id INTEGER NOT NULL REFERENCES tag, UNIQUE (pipeline_pk_id, tag_pk_id));
CREATE INDEX IF NOT EXISTS deployments_of_pipeline ON deployment (pipeline_id);
CREATE TABLE IF NOT EXISTS deployment_name (
    deployment_id INTEGER NOT NULL REFERENCES deployment, name TEXT NOT NULL, PRIMARY KEY (deployment_id, name));
"""

_LATER_COLUMNS = {
    "model": {"created_at": "''"},
    "model_version": {"created_at": "''", "visibility": "'private'", "conversion": "'{}'"},
    "pipeline": {"created_at": "''", "visibility": "'private'"},
    "variant": {"created_at": "''"},
    "deployment": {"created_at": "''", "engine_config": "'{}'"},
}
"""Columns, with their defaults, that a data folder of an earlier version of this suite may lack."""

FIRST_WORKSPACE = 10
"""The workspace the tutorial uses without making it."""

_FIRST_IDS = {
    "workspace": FIRST_WORKSPACE,
    "model": 40,
    "model_version": 60,
    "pipeline": 25,
    "variant": 26,
    "deployment": 14,
}


_NUMBERED_TOGETHER = ("model_version", "model_config")


class Store:
    """The instance's state. Every method is synchronous; what happens inside one `transaction` happens at once.

    With a data folder each commit is on disk before it returns; without one the state lives in a temporary folder
    that `close` removes. Raises `UsageError` where the folder cannot be used.
    """

    def __init__(self, folder: Path | None, owner: str, now: str) -> None:
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="conformance-emulated-"))
        self._models = self.folder / "models"
        try:
            self._models.mkdir(parents=True, exist_ok=True)
            self._database = self._opened()
            self._prepare(owner, now)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"{self.folder} is no database of an emulated instance, and none can be made there ({error}). "
                "Give --data-dir a new folder."
            ) from None

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.folder / "state.sqlite", isolation_level=None, check_same_thread=False)
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {'OFF' if self._temporary else 'FULL'}")
        database.execute("PRAGMA foreign_keys = ON")
        return database

    def _prepare(self, owner: str, now: str) -> None:
        self._database.executescript(SCHEMA)
        for table, columns in _LATER_COLUMNS.items():
            known = {row["name"] for row in self.all(f"PRAGMA table_info({table})")}
            for column in columns.keys() - known:
                self.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT {columns[column]}")
        with self.transaction():
            if self.one("SELECT 1 FROM workspace") is not None:
                return
            for table, first in _FIRST_IDS.items():
                self._database.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, first - 1))
            self.add("workspace", name="default", created_at=now, created_by=owner)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; committed when the block ends. The block must not await."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def one(self, query: str, *values: Any) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._database.execute(query, values).fetchone()
        return row

    def all(self, query: str, *values: Any) -> list[Row]:
        """Every row."""
        return self._database.execute(query, values).fetchall()

    def execute(self, query: str, *values: Any) -> None:
        """A change; outside a transaction it commits at once."""
        self._database.execute(query, values)

    def add(self, table: str, **columns: Any) -> int:
        """A new row, with the time of its making where the table keeps one; returns its id.

        Model versions and their configs share one row of numbers, so that either id names one version (decided).
        """
        if "created_at" in _LATER_COLUMNS.get(table, ()):
            columns.setdefault("created_at", timestamp())
        if table in _NUMBERED_TOGETHER:
            query = "SELECT max(seq) + 1 AS id FROM sqlite_sequence WHERE name IN (?, ?)"
            row = self.one(query, *_NUMBERED_TOGETHER)
            columns["id"] = row["id"] if row and row["id"] else 1
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        query = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names are ours, values are bound
        row_id = self._database.execute(query, tuple(columns.values())).lastrowid
        assert row_id is not None
        return row_id

    def model_path(self, sha: str) -> Path:
        """Where the bytes of this SHA-256 lie."""
        return self._models / sha

    def keep_model(self, content: bytes) -> str:
        """Write the bytes of a model, durably unless the folder is temporary; returns their SHA-256."""
        sha = hashlib.sha256(content).hexdigest()
        path = self.model_path(sha)
        if path.exists():
            return sha
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            if not self._temporary:
                os.fsync(file.fileno())
        partial.replace(path)
        if not self._temporary:
            _sync_folder(self._models)
        return sha

    def forget_model(self, sha: str) -> None:
        """Remove bytes that no model version refers to."""
        if self.one("SELECT 1 FROM model_version WHERE sha = ?", sha) is None:
            self.model_path(sha).unlink(missing_ok=True)

    def close(self) -> None:
        """End; a temporary folder goes with it."""
        self._database.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def timestamp() -> str:
    """Now, as the service writes it: ISO 8601 with microseconds and offset."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
