from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.errors import UsageError
from conformance.spec.overlay import apply_overlay, check_overlay, extended

# Equivalents, in our own words, of the Overlay specification's compliant sets: the same operations on the same shapes.
SHOP = yaml.safe_load("""
openapi: 3.1.0
info: {title: Shop, version: 1.0.0}
servers:
  - {url: 'https://shop.example', description: Live}
  - {url: 'https://dev.shop.example', description: Dev}
paths:
  /shelves:
    get:
      summary: Every shelf
      tags: [shelves]
      parameters:
        - {name: filter, in: query, schema: {type: string}}
        - {name: dummy, in: query, schema: {type: string}}
      responses:
        '200': {description: OK}
        '500': {description: Broken}
        default: {description: Anything}
  /shelves/{shelf}:
    get:
      summary: One shelf
      tags: [shelves]
      responses:
        '200':
          description: OK
          content:
            application/json:
              schema:
                type: object
                properties:
                  label: {type: string, example: wine}
                  place: {type: integer, example: 4}
                  aisle: {type: string}
        '500': {description: Broken}
components:
  schemas:
    Shelf: {type: object, properties: {label: {type: string, example: wine}}}
""")


def overlay(*actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"overlay": "1.0.0", "info": {"title": "T", "version": "1"}, "actions": list(actions), **more}


def applied(*actions: dict[str, Any]) -> dict[str, Any]:
    before = copy.deepcopy(SHOP)
    result = apply_overlay(SHOP, overlay(*actions))
    assert before == SHOP
    return result


def test_a_licence_is_added_to_info():
    licence = {"license": {"name": "MIT", "url": "https://example.org/mit"}}
    result = applied({"target": "$.info", "update": licence})
    assert result == SHOP | {"info": SHOP["info"] | licence}


def test_an_operation_gains_a_description_and_another_summary():
    result = applied({"target": "$.paths['/shelves'].get", "update": {"description": "Lists.", "summary": "All"}})
    assert result["paths"]["/shelves"]["get"] == SHOP["paths"]["/shelves"]["get"] | {
        "description": "Lists.",
        "summary": "All",
    }


def test_one_overlay_touches_many_operations_in_order():
    result = applied(
        {"target": "$.paths['/shelves'].get.summary", "remove": True},
        {"target": "$.paths.*.get", "update": {"tags": ["all"]}},
        {"target": "$.paths['/shelves'].get", "update": {"x-more": {"applied": True}, "tags": ["one"]}},
        {"target": "$.paths.*", "update": {"post": {"x-a": {"b": "c"}}}},
    )
    shelves, shelf = result["paths"].values()
    assert "summary" not in shelves["get"]
    assert shelves["get"]["tags"] == ["shelves", "all", "one"]
    assert shelves["get"]["x-more"] == {"applied": True}
    assert shelf["get"]["tags"] == ["shelves", "all"]
    assert shelves["post"] == shelf["post"] == {"x-a": {"b": "c"}}
    assert shelves["post"] is not shelf["post"]


def test_a_primitive_property_is_removed():
    result = applied({"target": "$.components.schemas.Shelf.properties['label'].example", "remove": True})
    assert result["components"]["schemas"]["Shelf"]["properties"] == {"label": {"type": "string"}}


def test_responses_that_match_by_name_are_removed_wherever_they_stand():
    result = applied(
        {"target": "$.paths..responses['500']", "remove": True},
        {"target": "$.paths..responses['default']", "remove": True},
    )
    assert [list(path["get"]["responses"]) for path in result["paths"].values()] == [["200"], ["200"]]


def test_properties_that_match_a_filter_are_removed():
    target = "$.paths['/shelves/{shelf}'].get.responses['200']..properties[?(@.type == 'string')]"
    result = applied({"target": target, "remove": True})
    content = result["paths"]["/shelves/{shelf}"]["get"]["responses"]["200"]["content"]
    assert list(content["application/json"]["schema"]["properties"]) == ["place"]


def test_an_entry_of_an_array_is_removed_by_a_filter():
    assert (
        applied({"target": "$.servers[?( @.description == 'Dev' )]", "remove": True})["servers"] == SHOP["servers"][:1]
    )


def test_servers_are_replaced_by_removing_them_first():
    result = applied(
        {"target": "$.servers", "remove": True},
        {"target": "$", "update": {"servers": [{"url": "http://local.example"}]}},
    )
    assert result["servers"] == [{"url": "http://local.example"}]


def test_the_root_is_updated():
    assert applied({"target": "$", "update": {"info": {"x-overlaid": True}}})["info"]["x-overlaid"] is True


def test_an_entry_is_appended_to_every_array_that_matches():
    entry = {"name": "extra", "in": "query"}
    result = applied({"target": "$.paths.*.get.parameters", "update": entry})
    assert [one["name"] for one in result["paths"]["/shelves"]["get"]["parameters"]] == ["filter", "dummy", "extra"]


def test_several_entries_of_one_array_are_removed_together():
    result = applied({"target": "$.paths['/shelves'].get.parameters[*]", "remove": True})
    assert result["paths"]["/shelves"]["get"]["parameters"] == []


def test_what_is_inside_a_removed_node_needs_no_removal_of_its_own():
    assert applied({"target": "$..['get', 'responses']", "remove": True})["paths"] == {
        "/shelves": {},
        "/shelves/{shelf}": {},
    }


def test_remove_wins_over_update():
    result = applied({"target": "$.info", "update": {"x-a": 1}, "remove": True})
    assert "info" not in result


def test_remove_false_updates():
    assert applied({"target": "$.info", "update": {"x-a": 1}, "remove": False})["info"]["x-a"] == 1


def test_what_one_action_removed_another_may_add_again():
    result = applied({"target": "$.info", "remove": True}, {"target": "$", "update": {"info": {"title": "New"}}})
    assert result["info"] == {"title": "New"}


def test_a_later_action_sees_what_an_earlier_one_added():
    result = applied({"target": "$", "update": {"x-a": {}}}, {"target": "$['x-a']", "update": {"b": 1}})
    assert result["x-a"] == {"b": 1}


def test_a_yaml_anchor_used_twice_is_updated_once():
    document = yaml.safe_load("{paths: {/a: &one {get: {}}, /b: *one}}")
    result = apply_overlay(document, overlay({"target": "$.paths['/a']", "update": {"post": {}}}))
    assert result == {"paths": {"/a": {"get": {}, "post": {}}, "/b": {"get": {}}}}


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ({"target": "$.paths['/none']", "remove": True}, r"Action 1 .*matches nothing: \$\.paths\['/none'\]"),
        ({"target": "$.paths.*.put", "update": {}}, r"matches nothing: \$\.paths\.\*\.put"),
        ({"target": "$.info.title", "update": "x"}, "updates a primitive value"),
        ({"target": "$.info", "update": "x"}, "updates an object with a primitive value"),
        ({"target": "$.info", "update": {"title": ["x"]}}, "puts an array where 'title' holds a primitive value"),
        ({"target": "$", "update": {"info": None}}, "puts a primitive value where 'info' holds an object"),
        ({"target": "$", "update": {"servers": {}}}, "puts an object where 'servers' holds an array"),
        ({"target": "$", "remove": True}, "removes the whole document"),
        ({"target": "$.paths['/shelves'].get.tags[0]", "remove": True}, "a single primitive of an array"),
        ({"target": "$.paths[", "remove": True}, "not JSONPath"),
    ],
)
def test_an_action_that_cannot_be_applied_is_named_with_its_target(action, sentence):
    with pytest.raises(UsageError, match=sentence):
        apply_overlay(SHOP, overlay(action))


GOOD = overlay({"target": "$", "update": {}})


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        ([], "its root"),
        ({**GOOD, "overlay": "2.0.0"}, "overlay"),
        ({**GOOD, "overlay": 1.0}, "overlay"),
        ({**GOOD, "info": {"title": "T"}}, "info"),
        ({**GOOD, "info": {"title": "T", "version": 1}}, "info/version"),
        ({**GOOD, "info": {"title": 1, "version": "1"}}, "info/title"),
        ({**GOOD, "info": "T"}, "info"),
        ({**GOOD, "extends": 7}, "extends"),
        ({**GOOD, "actions": []}, "actions"),
        ({**GOOD, "actions": {}}, "actions"),
        ({**GOOD, "actions": ["$"]}, "actions/0"),
        ({**GOOD, "actions": [{"update": {}}]}, "actions/0"),
        ({**GOOD, "actions": [{"target": "paths"}]}, "actions/0/target"),
        ({**GOOD, "actions": [{"target": 1}]}, "actions/0/target"),
        ({**GOOD, "actions": [{"target": "$", "remove": "yes"}]}, "actions/0/remove"),
        ({**GOOD, "actions": [{"target": "$", "description": 3}]}, "actions/0/description"),
        ({**GOOD, "actions": [{"target": "$", "copy": "$.info"}]}, "actions/0"),
        ({**GOOD, "actions": [{"target": "$"}, {"target": "$"}]}, "actions"),
        ({**GOOD, "more": 1}, "its root"),
        ({"overlay": "1.0.0", "info": GOOD["info"]}, "its root"),
    ],
)
def test_an_overlay_of_the_wrong_shape_is_refused_with_its_place(bad, place):
    with pytest.raises(UsageError, match=f"not an Overlay 1.0 document: at {place},"):
        check_overlay(bad)


def test_extensions_are_allowed_at_every_level():
    check_overlay(
        {
            "overlay": "1.0.7",
            "info": {"title": "T", "version": "1", "x-a": None},
            "extends": "a.yaml",
            "x-b": [],
            "actions": [{"target": "$", "x-c": {}, "description": "D", "update": None, "remove": True}],
        }
    )


def test_extends_is_read_relative_to_the_overlay(tmp_path: Path):
    assert extended(overlay(extends="../base%20one.yaml"), tmp_path / "in" / "o.yaml") == tmp_path / "base one.yaml"
    assert extended(overlay(), tmp_path / "o.yaml") is None


def test_a_remote_extends_is_not_fetched(tmp_path: Path):
    with pytest.raises(UsageError, match="remote"):
        extended(overlay(extends="https://example.org/base.yaml"), tmp_path / "o.yaml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), JSON)
def test_what_is_added_under_a_new_name_is_there_and_goes_again(document, value):
    document.pop("x-new", None)
    before = copy.deepcopy(document)
    added = apply_overlay(document, overlay({"target": "$", "update": {"x-new": value}}))
    assert added == before | {"x-new": value}
    assert apply_overlay(added, overlay({"target": "$['x-new']", "remove": True})) == before == document
