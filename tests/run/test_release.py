"""An instance of another release than it is judged as is pointed out, and a single defect is not taken for one."""

from __future__ import annotations

from conformance.run.release import answers_as_another, served_as_another
from conformance.spec.document import Document
from conformance.spec.requirements import load

GONE = ["pipelines.copy.serves-valid-requests", "pipelines.undeploy.returns-nothing"]


def test_a_description_of_the_other_release_names_it() -> None:
    sentence = served_as_another("2023.4", "served", Document.load("2026.1").raw)
    assert "is of release 2026.1" in sentence
    assert "--profile 2026.1" in sentence
    assert "is of release 2023.4" in served_as_another("2026.1", "served", Document.load("2023.4").raw)


def test_a_description_of_neither_release_names_none() -> None:
    assert served_as_another("2023.4", "served", {"openapi": "3.1.0", "info": {}, "paths": {}}) == ""


def test_answers_of_the_other_release_name_it() -> None:
    sentence = answers_as_another("2023.4", GONE)
    assert "release 2026.1 changed" in sentence
    assert "--profile 2026.1" in sentence


def test_a_defect_of_one_operation_is_not_taken_for_another_release() -> None:
    assert answers_as_another("2023.4", ["pipelines.undeploy.returns-nothing"]) == ""
    assert answers_as_another("2023.4", ["pipelines.copy.serves-valid-requests"]) == ""


def test_what_no_release_changed_is_broken_and_nothing_else() -> None:
    unchanged = next(row.id for row in load("2023.4") if row.operation == "workspaces.list")
    assert answers_as_another("2023.4", [*GONE, unchanged]) == ""
