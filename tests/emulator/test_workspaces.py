from __future__ import annotations

from datetime import datetime
from typing import Any


def test_workspace_10_is_there_from_the_start(start: Any) -> None:
    (workspace,) = start().ok("workspaces/list", {})["workspaces"]
    assert workspace["id"] == 10
    assert (workspace["archived"], workspace["models"], workspace["pipelines"]) == (False, [], [])
    assert datetime.fromisoformat(workspace["created_at"]).utcoffset() is not None


def test_a_new_workspace_has_its_own_id_and_lists_what_is_made_in_it(instance: Any) -> None:
    name = instance.name()
    made = instance.ok("workspaces/create", {"workspace_name": name})["workspace_id"]
    pipeline = instance.pipeline(workspace=made)["pipeline_pk_id"]
    instance.model(workspace=made)
    workspaces = {each["id"]: each for each in instance.ok("workspaces/list", {})["workspaces"]}
    assert workspaces[made]["name"] == name
    assert workspaces[made]["pipelines"] == [pipeline]
    assert len(workspaces[made]["models"]) == 1
    assert pipeline not in workspaces[10]["pipelines"]


def test_a_taken_or_impossible_name_is_400(instance: Any) -> None:
    name = instance.name()
    instance.ok("workspaces/create", {"workspace_name": name})
    for wrong in (name, "", None, 5, "a" * 256):
        assert instance.call("workspaces/create", {"workspace_name": wrong}).status_code == 400, wrong


def test_workspaces_are_listed_by_their_maker(instance: Any) -> None:
    maker = instance.ok("workspaces/list", {})["workspaces"][0]["created_by"]
    assert instance.ok("workspaces/list", {"user_id": maker}) == instance.ok("workspaces/list", {"user_id": None})
    assert instance.ok("workspaces/list", {"user_id": "nobody"}) == {"workspaces": []}
    assert instance.call("workspaces/list", {"user_id": 5}).status_code == 400
