"""The catalogue is whole: each row has a check or says why not, each check a row, each sentence its place."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import checks
from conformance.checks import BESIDE, CHECKS
from conformance.checks.auth import GRANTS, PROBES
from conformance.checks.readings import RESOLVERS
from conformance.errors import UsageError
from conformance.model import Requirement
from conformance.spec.document import Document, profiles
from conformance.spec.requirements import Catalogue, load, nearest, needed, standing

TUTORIAL: list[tuple[str, str, str]] = json.loads(
    (Path(__file__).resolve().parents[1] / "oracles" / "tutorial.json").read_text(encoding="utf-8")
)
"""Of each sentence of the tutorial, in order, three SHA-256: of its heading, of it, and of it in lower case where it is
longer than 40 characters. The text itself is not ours to keep; `tests.oracles.prose.sentences` tells them apart."""

CATALOGUE = load()
ALL = {f"{check.__module__.rpartition('.')[2]}.{check.__name__}" for check in (*CHECKS, *BESIDE)}


def written() -> list[Requirement]:
    return [row for profile in profiles() for row in load(profile)]


@pytest.mark.parametrize("row", CATALOGUE.rows, ids=lambda row: row.id)
def test_a_row_has_a_check_that_runs_or_says_why_it_has_none(row: Requirement) -> None:
    if row.check:
        assert row.check in ALL, f"{row.check} is none of the checks that run"
    else:
        assert len(str(row.notes.get("unresolved") or row.notes["measured"])) > 20


def test_every_check_has_a_row() -> None:
    assert {row.check for row in CATALOGUE if row.check} == ALL


def test_what_a_check_finds_is_in_the_catalogue() -> None:
    slugs = {row.id.rpartition(".")[2] for row in written()}
    assert set(_slugs_in_checks()) - slugs == set()


def _slugs_in_checks() -> Iterator[str]:
    """Texts in the checks' code that look like a row's name, wherever they are handed to a finding."""
    for module in {inspect.getmodule(check) for check in (*CHECKS, *BESIDE)}:
        assert module is not None
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if called in ("seen", "_beside", "_elsewhere"):
                for argument in node.args[1:3]:
                    if isinstance(argument, ast.Constant) and re.fullmatch(
                        r"[a-z0-9]+(-[a-z0-9]+)+", str(argument.value)
                    ):
                        yield str(argument.value)
    yield from (*PROBES.values(), *GRANTS.values())


def test_every_field_that_a_row_promises_is_described() -> None:
    for row in CATALOGUE:
        if "field" in row.notes:
            assert row.check == "schema.success_body"
            assert Document.load().has(row.operation)


def test_every_contradiction_has_a_reading_we_hold_to_and_a_reason() -> None:
    contradictions = [row for row in written() if "readings" in row.notes]
    assert len({row.id for row in contradictions}) == 34
    for row in contradictions:
        assert len(row.notes["readings"]) >= 2
        assert row.notes["held"] in row.notes["readings"]
        assert row.notes["why"]
        assert not row.gates, "an instance that follows the other reading is told of it, not condemned"


def test_every_contradiction_that_traffic_can_tell_has_a_resolver_and_no_other() -> None:
    resolved = {requirement for pairs in RESOLVERS.values() for requirement, _ in pairs}
    told = {row.id for row in CATALOGUE if "readings" in row.notes and row.check}
    assert resolved == told


def test_ids_are_kebab_sentences_under_an_operation() -> None:
    known = {operation.id for operation in Document.load().operations} | {"api"}
    for row in CATALOGUE:
        operation, _, slug = row.id.rpartition(".")
        assert operation in known
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug), row.id
        assert row.text.endswith(".")
        assert row.source


def test_every_sentence_of_the_tutorial_is_a_row_or_set_aside_for_a_reason() -> None:
    digests = {digest for _, digest, _ in TUTORIAL}
    placed = {digest for row in written() for _, digest in standing(row)}
    aside = {digest for one in CATALOGUE.asides for digest in one.sentences}
    assert digests - placed - aside == set(), "a sentence that no row stands on"
    assert (placed | aside) - digests == set(), "a digest without a sentence"
    assert placed & aside == set(), "a sentence is a promise or is set aside, not both"


def test_every_sentence_stands_under_the_heading_its_row_names() -> None:
    headings: dict[str, set[str]] = {}
    for heading, digest, _ in TUTORIAL:
        headings.setdefault(digest, set()).add(heading)
    for row in written():
        if "stands" in row.notes or isinstance(row.notes.get("sentence"), str):
            for heading, digest in standing(row):
                assert hashlib.sha256(heading.encode()).hexdigest() in headings[digest], row.id


def test_the_catalogue_repeats_no_sentence_of_the_tutorial() -> None:
    told = {lower for _, _, lower in TUTORIAL if lower}
    for row in CATALOGUE:
        assert hashlib.sha256(row.text.lower().encode()).hexdigest() not in told


def test_a_reason_stands_beside_each_sentence_that_is_set_aside() -> None:
    assert all(one.reason.endswith(".") and one.sentences for one in CATALOGUE.asides)
    assert max(Counter(digest for one in CATALOGUE.asides for digest in one.sentences).values()) == 1


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"nearest is 'pipelines\.deploy\.takes-models'"):
        CATALOGUE.named("pipelines.deploy.take-models")
    assert nearest("nothing like it", CATALOGUE.by_id) == ""


def test_fields_are_found_by_operation() -> None:
    assert ("$.id", "pipelines.deploy.returns-the-deployment-id") in CATALOGUE.fields_of("pipelines.deploy")
    assert CATALOGUE.fields_of("no.such") == ()


def catalogue_of(folder: Path, text: str, profile: str = "2023.4") -> Catalogue:
    path = folder / "requirements.toml"
    path.write_text('operations = ["pipelines.copy"]\n' + text, encoding="utf-8")
    return load(profile, path)


ROW = 'text = "It is so."\nlevel = "must"\nbasis = "shown"\nsource = "seen"\ncheck = "status.valid_is_served"\n'


def test_a_family_makes_a_row_of_each_operation_it_names(tmp_path: Path) -> None:
    found = catalogue_of(
        tmp_path, '[[family]]\nname = "holds"\noperations = ["*"]\n' + ROW.replace("It", "{operation}")
    )
    assert [(row.id, row.text) for row in found] == [("pipelines.copy.holds", "pipelines.copy is so.")]


def test_rows_on_what_a_release_does_not_have_are_out_of_scope_and_named(tmp_path: Path) -> None:
    rows = "".join(f"[[requirement]]\nid = 'pipelines.{name}'\n{ROW}" for name in ("copy.c", "deploy.of-a-copy"))
    text = rows + 'takes = ["pipelines.copy"]\n'
    found = catalogue_of(tmp_path, 'areas = ["pipelines.deploy"]\n' + text, "2026.1")
    assert found.rows == ()
    assert found.left_out == {"pipelines.copy": ("pipelines.copy.c", "pipelines.deploy.of-a-copy")}
    older = catalogue_of(tmp_path, 'areas = ["pipelines.deploy"]\n' + text)
    assert len(older.rows) == 2
    assert older.left_out == {}


@pytest.mark.parametrize("profile", profiles())
def test_every_row_of_a_release_is_of_an_operation_that_it_has(profile: str) -> None:
    document = Document.load(profile)
    for row in load(profile):
        assert row.operation == "api" or all(document.has(operation) for operation in needed(row)), row.id


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[requirement]]\nid = 'pipelines.copy.c'\n" + ROW.replace("must", "might"), "lacks or misspells"),
        ("[[requirement]]\nid = 'pipelines.copy.c'\n" + ROW.replace("text", "texts"), "lacks or misspells 'text'"),
        ("[[requirement]]\nid = 'x.y.c'\n" + ROW, "under no operation"),
        (("[[requirement]]\nid = 'pipelines.copy.c'\n" + ROW) * 2, "twice"),
        (
            "[[requirement]]\nid = 'pipelines.copy.c'\nheld = 'x'\nreadings = { y = 'z' }\n" + ROW,
            "a reading among its readings",
        ),
        ("[[", "cannot be read"),
    ],
    ids=["level", "field", "operation", "twice", "reading", "toml"],
)
def test_a_broken_catalogue_is_refused_with_a_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        catalogue_of(tmp_path, text)


def test_every_check_is_named_in_its_module() -> None:
    assert all(hasattr(checks, name.partition(".")[0]) for name in ALL)


@pytest.mark.parametrize("profile", profiles())
def test_a_source_does_not_repeat_the_basis(profile: str) -> None:
    assert [row.id for row in load(profile) if row.source.lower().startswith(str(row.basis))] == []


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("again", "pipelines.deploy.again-returns-the-same-id"),
        ("pipelines.deploy.again-returns-same-id", "pipelines.deploy.again-returns-the-same-id"),
        ("pipelines.depoy.returns-the-deployment-id", "pipelines.deploy.returns-the-deployment-id"),
        ("creation time", "workspaces.list.keeps-each-creation-time"),
        ("the JSON null", "pipelines.undeploy.returns-nothing-as-null"),
    ],
)
def test_an_unknown_id_is_met_with_the_nearest_by_its_words_or_its_spelling(given: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"the nearest is '{hint}'")):
        load("2023.4").named(given)


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    with pytest.raises(UsageError, match=r"no requirement 'xyzzy'\.$"):
        load("2023.4").named("xyzzy")
