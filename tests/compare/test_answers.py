"""Answers of two sides are comparable: ids stand for where they were issued."""

from __future__ import annotations

from typing import Any

from conformance.compare.answers import APPEARED, Answer, Id, Numbers, Reader
from tests.compare.made import ORIGIN, exchange


def answers(run: str, *exchanges: Any) -> list[Answer]:
    reader = Reader(run, ORIGIN)
    return [reader.read(one, step) for step, one in enumerate(exchanges, 1)]


def created(pk: int, variant: int, version: str = "v") -> dict[str, Any]:
    return {"pipeline_pk_id": pk, "pipeline_variant_pk_id": variant, "pipeline_variant_version": version}


def test_ids_of_two_instances_are_equal_where_they_were_issued_alike() -> None:
    old = answers("aaaaaaaa", exchange("pipelines.create", {}, created(7, 9)))
    new = answers("bbbbbbbb", exchange("pipelines.create", {}, created(31, 40)))
    assert old[0].leaves == new[0].leaves


def test_an_id_given_anew_where_the_old_side_repeats_one_is_not_equal() -> None:
    old = answers("aaaaaaaa", *(exchange("pipelines.deploy", {}, {"id": 14}) for _ in range(2)))
    new = answers("bbbbbbbb", *(exchange("pipelines.deploy", {}, {"id": number}) for number in (5, 6)))
    assert old[0].leaves == new[0].leaves
    assert old[1].leaves["body.id"] != new[1].leaves["body.id"]


def test_equal_numbers_of_two_kinds_are_not_confused() -> None:
    first, second = answers(
        "aaaaaaaa", exchange("pipelines.create", {}, created(7, 7)), exchange("pipelines.deploy", {}, {"id": 7})
    )
    issued = {str(first.leaves["body.pipeline_pk_id"]), str(first.leaves["body.pipeline_variant_pk_id"])}
    assert len(issued | {str(second.leaves["body.id"])}) == 3


def test_an_id_that_became_a_text_differs() -> None:
    old = answers("aaaaaaaa", exchange("pipelines.deploy", {}, {"id": 14}))
    new = answers("bbbbbbbb", exchange("pipelines.deploy", {}, {"id": "14"}))
    assert old[0].leaves["body.id"] != new[0].leaves["body.id"]
    assert isinstance(new[0].leaves["body.id"], Id)


def test_rows_that_other_callers_made_are_left_out() -> None:
    ours = exchange("workspaces.create", {}, {"workspace_id": 3})
    rows = [{"id": number, "name": f"n{number}", "models": [], "pipelines": []} for number in (1, 2, 3)]
    listed = answers("aaaaaaaa", ours, exchange("workspaces.list", {}, {"workspaces": rows}))[1]
    assert listed.leaves["body.workspaces.length"] == 1
    assert listed.leaves["body.workspaces[0].name"] == "n3"


def test_urls_and_names_are_equal_on_both_sides() -> None:
    def told(run: str, number: int) -> Answer:
        url = f"{ORIGIN}/v1/api/pipelines/infer/conformance-{run}-p-{number}/conformance-{run}-p"
        deployed = exchange("pipelines.deploy", {}, {"id": number})
        return answers(run, deployed, exchange("admin.get-pipeline-external-url", {}, {"url": url}))[1]

    assert told("aaaaaaaa", 14).leaves == told("bbbbbbbb", 92).leaves


def test_another_deployment_in_a_url_differs() -> None:
    def told(run: str, number: int) -> Answer:
        url = f"{ORIGIN}/v1/api/pipelines/infer/conformance-{run}-p-{number}/conformance-{run}-p"
        deployed = [exchange("pipelines.deploy", {}, {"id": one}) for one in (1, 2)]
        return answers(run, *deployed, exchange("admin.get-pipeline-external-url", {}, {"url": url}))[2]

    assert told("aaaaaaaa", 1).leaves != told("bbbbbbbb", 2).leaves


def test_a_json_text_inside_an_answer_is_read() -> None:
    inner = '{"model_name": "m", "model_sha": "ab"}'
    (one,) = answers("aaaaaaaa", exchange("pipelines.infer", [], [{"metadata": {"last_model": inner}}]))
    assert one.leaves["body[0].metadata.last_model.(text of).model_name"] == "m"


def test_a_list_of_numbers_is_one_value() -> None:
    (one,) = answers("aaaaaaaa", exchange("pipelines.infer", [], [{"out": {"dense_1": [0.25]}}]))
    assert one.leaves["body[0].out.dense_1"] == Numbers((0.25,), whole=False)


def test_of_a_long_list_the_first_and_last_rows_stand_for_all() -> None:
    (one,) = answers("aaaaaaaa", exchange("pipelines.infer", [], [{"time": number} for number in range(1000)]))
    assert one.leaves["body.length"] == 1000
    assert one.leaves["body[39].time"] == 999


def test_an_id_that_became_digits_has_another_form() -> None:
    old = answers("aaaaaaaa", exchange("pipelines.create", {}, created(7, 9, "3f1b6c52-6f0e-4d7c-9b7e-0a1b2c3d4e5f")))
    new = answers("bbbbbbbb", exchange("pipelines.create", {}, created(7, 9, "1234")))
    place = "body.pipeline_variant_version"
    assert old[0].leaves[place] != new[0].leaves[place]


def test_an_id_shown_at_a_moment_is_issued_by_a_later_answer() -> None:
    reader = Reader("aaaaaaaa", ORIGIN)
    reader.read(exchange("pipelines.deploy", {}, {"id": 14}), 1, momentary=True)
    later = reader.read(exchange("pipelines.deploy", {}, {"id": 14}), 2)
    assert str(later.leaves["body.id"]).startswith("the deployment of step 2")


def test_an_answer_is_shown_with_the_ids_of_the_other_side() -> None:
    old, new = Reader("aaaaaaaa", ORIGIN), Reader("bbbbbbbb", ORIGIN)
    old.read(exchange("pipelines.deploy", {}, {"id": 14}), 1)
    theirs = exchange("pipelines.deploy", {}, {"id": 92})
    new.read(theirs, 1)
    assert '"id": 14' in new.shown(theirs, old)


def version(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "model_id": name, "models_pk_id": number, "model_version": f"v{number}"}


def test_no_row_of_others_is_left_out_where_only_our_own_were_asked_for() -> None:
    ours = "conformance-aaaaaaaa-m"
    rows = [version(1, ours), version(999_999, "unrelated")]
    question = {"model_id": ours}
    listed = answers("aaaaaaaa", exchange("models.list-versions", question, rows))[0]
    everybodys = answers("aaaaaaaa", exchange("models.list-versions", {}, rows))[0]
    assert (listed.leaves["body.length"], everybodys.leaves["body.length"]) == (2, 0)


def test_a_row_that_appears_though_a_request_was_refused_is_counted() -> None:
    def listing(*numbers: int) -> Any:
        rows = [{"id": number, "name": "untitled", "models": [], "pipelines": []} for number in numbers]
        return exchange("workspaces.list", {}, {"workspaces": rows})

    def counted(before: Any, after: Any) -> Any:
        reader = Reader("aaaaaaaa", ORIGIN)
        reader.read(before, 1)
        return reader.read(after, 2, after_refusal=True).leaves[APPEARED]

    assert counted(listing(1, 2), listing(1, 2)) == 0
    assert counted(listing(1, 2), listing(1, 2, 3)) == 1


def test_a_flattened_column_is_no_field_of_the_nested_one() -> None:
    (flat,) = answers("aaaaaaaa", exchange("pipelines.infer", [], [{"in.x": [1.5]}]))
    (nested,) = answers("aaaaaaaa", exchange("pipelines.infer", [], [{"in": {"x": [1.5]}}]))
    assert not {place for place in flat.leaves if "x" in place} & nested.leaves.keys()


def test_who_passed_an_answer_on_is_no_part_of_it() -> None:
    fields = {"Server": "nginx", "Via": "1.1 proxy", "X-Request-Id": "7"}
    one, other = (
        answers("aaaaaaaa", exchange("workspaces.list", {}, {"workspaces": []}, headers=headers))[0]
        for headers in ({}, fields)
    )
    assert one.leaves == other.leaves
