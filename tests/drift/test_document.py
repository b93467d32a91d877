from __future__ import annotations

import copy
import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from conformance.drift.compare import compare
from conformance.drift.openapi.document import load, loaded, read
from conformance.drift.openapi.syntax import lines, parse
from conformance.errors import UsageError

HEAD = 'openapi: 3.1.0\ninfo: {title: T, version: "1"}\n'
BOMB = (
    HEAD
    + "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
)


def _file(tmp_path: Path, text: str, name: str = "d.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not an object|0 YAML documents"),
        ("[]", "is not an object"),
        ("a: [", "neither JSON nor YAML"),
        ("a: 1\n---\na: 2\n", "2 YAML documents"),
        ("title: x\n", "has no `openapi` member"),
        ("openapi: 4.0.0\n", "is not an OpenAPI description of version 2.0, 3.0, 3.1 or 3.2"),
        (HEAD, "is not a valid OpenAPI description"),
        (HEAD + "paths: []\n", "is not a valid OpenAPI description"),
        ("openapi: 3.1.0\npaths: {}\n", "info"),
        (HEAD + "paths: {/a: {get: {responses: nope}}}\n", "is not a valid OpenAPI description"),
        (HEAD + "paths: {}\ncomponents: {schemas: {A: {type: strnig}}}\n", "strnig"),
        (HEAD + "paths: {}\ncomponents: {schemas: {A: {$ref: '#/components/schemas/B'}}}\n", "leads nowhere"),
        (
            HEAD
            + "paths: {/a: {$ref: '#/components/pathItems/X'}}\n"
            + "components: {pathItems: {X: {$ref: '#/paths/~1a'}}}\n",
            "back to itself",
        ),
        (HEAD + "paths: {}\npaths: {}\n", "'paths' stands twice"),
        (BOMB, "once its aliases are expanded"),
        (HEAD + "paths: &p {/a: *p}\n", "inside itself"),
        (HEAD + "x-deep: " + "[" * 5000 + "]" * 5000 + "\n", "nests deeper|neither JSON nor YAML"),
        (HEAD + "paths: {}\ncomponents: {schemas: {A: {$ref: 'https://h.example/s.json'}}}\n", "--allow-remote"),
        (HEAD + "paths: {}\ncomponents: {schemas: {A: {$ref: 'other.yaml#/A'}}}\n", "There is no file"),
        (HEAD + "paths: {}\nx-a: .inf\nx-b: 1e999\n", "too large"),
        ('{"openapi": "3.1.0", "openapi": "3.1.0", "paths": {}}', "'openapi' stands twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": ' * 3000 + "1" + "}" * 3000, "nests deeper"),
    ],
)
def test_what_is_no_description_is_refused_in_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        load(_file(tmp_path, text))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not UTF-8"):
        load(tmp_path / "binary")
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)


def test_a_bomb_is_refused_in_bounded_time_and_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(UsageError):
        load(_file(tmp_path, BOMB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - began < 5
    assert peak < 50 * 2**20


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no endless file here")
def test_an_endless_file_is_refused() -> None:
    with pytest.raises(UsageError, match="is larger than"):
        load("/dev/zero")


def test_a_file_that_is_no_part_of_a_description_is_not_taken_for_one(tmp_path: Path) -> None:
    _file(tmp_path, "root:x:0:0\n", "other.txt")
    with pytest.raises(UsageError, match="which is not an object"):
        load(_file(tmp_path, HEAD + "paths: {/a: {$ref: other.txt}}\n"))


@pytest.mark.parametrize("reference", ["file:///etc/hostname", "file://localhost/etc/hostname"])
def test_a_served_description_reads_no_file_of_this_machine(reference: str) -> None:
    text = HEAD + f"paths: {{/a: {{$ref: '{reference}'}}}}\n"
    found = loaded(text, "https://api.example/openapi.json", "what is served", lambda url: "{}")
    assert [slip.pointer for slip in found.slips] == ["/paths/~1a"]
    assert "a file of this machine, which is not read" in found.slips[0].text


SLIPS = """\
openapi: 3.1.0
info: {title: T, version: "1"}
paths:
  /a:
    get:
      parameters:
      - {name: p, in: query, schema: {type: string, pattern: 5, maxLength: 3}}
      - {$ref: '#/components/parameters/gone'}
      gte: 1
      responses:
        '200':
          description: x
          content:
            application/json:
              schema: {type: object, properties: {a: {$ref: '#/components/schemas/Gone'}, b: {minLength: -1}}}
    get: {}
"""


def test_every_slip_is_listed_with_file_line_and_pointer_and_the_rest_is_compared(tmp_path: Path) -> None:
    text = SLIPS.replace("    get: {}\n", "")
    found = read(_file(tmp_path, text))
    told = {(slip.line, slip.pointer.rpartition("/")[2]) for slip in found.slips}
    assert told == {(7, "pattern"), (8, "1"), (9, "gte"), (15, "a"), (15, "minLength")}
    assert all(slip.file.endswith("d.yaml") for slip in found.slips)
    again = read(_file(tmp_path, text.replace("maxLength: 3", "maxLength: 2"), "e.yaml"))
    assert [one.location for one in compare(found.root, again.root).changes] == ["request.query.p"]


def test_a_key_that_stands_twice_is_a_slip_and_the_last_counts(tmp_path: Path) -> None:
    found = read(_file(tmp_path, SLIPS))
    assert (16, "The key 'get' stands twice; the last counts.") in {(slip.line, slip.text) for slip in found.slips}
    assert found.root["paths"]["/a"]["get"] == {}


def test_an_extension_holds_no_schema_however_it_looks(tmp_path: Path) -> None:
    odd = "x-changes: {schema: {properties: {a: null}}, a: {$ref: '#/nowhere'}}\n"
    assert load(_file(tmp_path, HEAD + "paths: {}\n" + odd))["x-changes"]["a"] == {"$ref": "#/nowhere"}


def test_a_description_of_webhooks_or_components_alone_is_one(tmp_path: Path) -> None:
    assert compare(load(_file(tmp_path, HEAD + "components: {}\n")), load(tmp_path / "d.yaml")).verdict == "none"
    hook = "webhooks: {w: {post: {requestBody: {content: {application/json: {schema: {type: object%s}}}}}}}\n"
    base = load(_file(tmp_path, HEAD + hook % ", required: [a], properties: {a: {type: string}}"))
    revision = load(_file(tmp_path, HEAD + hook % ""))
    assert compare(base, revision).verdict == "breaking"
    assert compare(revision, base).verdict == "non-breaking"


def test_what_version_3_2_adds_is_compared(tmp_path: Path) -> None:
    text = """\
openapi: 3.2.0
$self: https://h.example/api.yaml
info: {title: T, version: "1"}
paths:
  /a:
    query:
      parameters:
      - in: querystring
        name: q
        content: {application/x-www-form-urlencoded: {schema: {properties: {page: {type: integer}}}}}
      responses:
        '200':
          description: x
          content: {application/jsonl: {itemSchema: {$ref: 'https://h.example/api.yaml#/components/schemas/Line'}}}
    additionalOperations:
      LINK: {responses: {'204': {description: x}}}
components: {schemas: {Line: {type: object, properties: {n: {type: integer}}}}}
"""
    base = load(_file(tmp_path, text))
    assert compare(base, load(_file(tmp_path, text, "e.yaml"))).verdict == "none"
    for before, after, location in (
        ("n: {type: integer}", "n: {type: number}", "response.200.body[].n"),
        ("page: {type: integer}", "page: {type: integer, maximum: 9}", "request.query.page"),
        ("LINK: {responses: {'204': {description: x}}}", "{}", "operation"),
    ):
        found = compare(base, load(_file(tmp_path, text.replace(before, after), "e.yaml")))
        assert [one.location for one in found.changes if one.breaking] == [location]


def test_an_identified_schema_is_what_references_inside_it_are_relative_to(tmp_path: Path) -> None:
    inner = "A: {$id: 'https://h.example/a', $defs: {s: {type: string}}, properties: {b: {$ref: '#/$defs/s'}}}"
    found = load(_file(tmp_path, HEAD + f"components: {{schemas: {{{inner}, B: {{$ref: 'https://h.example/a'}}}}}}\n"))
    assert found["components"]["schemas"]["A"]["properties"]["b"] == {"$ref": "#/components/schemas/A/$defs/s"}
    assert found["components"]["schemas"]["B"] == {"$ref": "#/components/schemas/A"}


def test_a_description_may_be_spread_over_hundreds_of_files(tmp_path: Path) -> None:
    for i in range(300):
        _file(
            tmp_path,
            f"type: object\nproperties: {{next: {{$ref: 's{(i + 1) % 300}.yaml'}}}}\nnullable: true\n",
            f"s{i}.yaml",
        )
    text = "openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths: {}\ncomponents: {schemas: {S: {$ref: s0.yaml}}}\n"
    found = load(_file(tmp_path, text))
    assert len(found["components"]["schemas"]) == 300
    assert found["components"]["schemas"]["S"]["properties"] == {"next": {"$ref": "#/components/schemas/s1"}}


def test_a_merged_mapping_gives_way_to_what_the_mapping_says_itself() -> None:
    text = "a: &a {k: 1, l: 2}\nb: {<<: *a, k: 3}\nc: {k: 4, <<: *a}\nd: {<<: [{k: 9}, *a], k: 5}\n"
    assert [parse(text, "t")[name] for name in "bcd"] == [{"k": 3, "l": 2}, {"k": 4, "l": 2}, {"k": 5, "l": 2}]


def test_a_discriminators_target_that_leads_nowhere_is_a_slip(tmp_path: Path) -> None:
    mapping = "{a: '#/components/schemas/A', b: Nope, c: null, d: 'https://h.example/d.yaml'}"
    union = (
        f"U: {{oneOf: [{{$ref: '#/components/schemas/A'}}], discriminator: {{propertyName: t, mapping: {mapping}}}}}"
    )
    found = read(_file(tmp_path, HEAD + f"components: {{schemas: {{A: {{type: object}}, {union}}}}}\n"))
    assert [slip.pointer.rpartition("/")[2] for slip in found.slips] == ["b", "c", "d"]
    assert found.root["components"]["schemas"]["U"]["discriminator"]["mapping"] == {"a": "#/components/schemas/A"}


def test_yaml_is_read_as_version_1_2_says() -> None:
    text = (
        "a: no\nb: 2024-01-01\nc: 0o17\nd: 012\ne: 1e3\nf: '1'\n200: x\ng: ~\nh: &x [1]\ni: *x\nj: {<<: {k: 1}, l: 2}\n"
    )
    assert parse(text, "t") == {
        "a": "no", "b": "2024-01-01", "c": 15, "d": 12, "e": 1000.0, "f": "1", "200": "x", "g": None, "h": [1],
        "i": [1], "j": {"k": 1, "l": 2},
    }  # fmt: skip


def test_the_line_of_a_node_is_found_in_yaml_and_in_json() -> None:
    value = {"paths": {"/a~b": {"get": {"tags": ["x", "y"]}}}}
    text = json.dumps(value, indent=1)
    assert lines(text)["/paths/~1a~0b/get/tags/1"] == 7
    assert lines("paths:\n  /a:\n    get:\n      tags:\n      - x\n      - y\n")["/paths/~1a/get/tags/1"] == 6


def test_files_beside_the_description_are_read_and_may_refer_to_each_other(tmp_path: Path) -> None:
    node = "Node: {type: object, properties: {next: {$ref: '#/Node'}, back: {$ref: 'd.yaml#/components/schemas/N'}}}\n"
    _file(tmp_path, node, "other.yaml")
    answer = "{description: x, content: {application/json: {schema: {$ref: '%s'}}}}"
    root = f"paths: {{/a: {{get: {{responses: {{'200': {answer}}}}}}}}}\n"
    parts = "components: {schemas: {N: {$ref: 'other.yaml#/Node'}}}\n"
    whole = load(_file(tmp_path, HEAD + root % "other.yaml#/Node" + parts))
    again = load(_file(tmp_path, HEAD + root % "#/components/schemas/N" + parts, "e.yaml"))
    assert compare(whole, again).verdict == "none"


def test_schemas_that_refer_to_each_other_in_a_long_chain_are_compared() -> None:
    def chain(last: str) -> dict[str, object]:
        parts: dict[str, object] = {
            f"S{i}": {"type": "object", "properties": {"n": {"$ref": f"#/components/schemas/S{i + 1}"}}}
            for i in range(800)
        }
        parts["S800"] = {"type": last}
        body = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}
        return {
            "openapi": "3.1.0",
            "info": {"title": "T", "version": "1"},
            "paths": {"/a": {"post": {"requestBody": body, "responses": {"200": {"description": "x"}}}}},
            "components": {"schemas": parts},
        }

    assert compare(chain("string"), chain("string")).verdict == "none"
    assert compare(chain("string"), chain("integer")).verdict == "breaking"


def test_what_a_slip_took_out_is_no_dead_end_for_what_referred_to_it(tmp_path: Path) -> None:
    parts = "components: {schemas: {A: 5, B: {properties: {a: {$ref: '#/components/schemas/A'}}}}}\n"
    found = read(_file(tmp_path, HEAD + parts))
    told = {slip.pointer for slip in found.slips}
    assert told == {"/components/schemas/A", "/components/schemas/B/properties/a"}
    assert compare(found.root, found.root).verdict == "none"


def test_a_reference_to_what_is_of_another_kind_is_a_slip(tmp_path: Path) -> None:
    text = HEAD + "paths: {/a: {get: {parameters: [{$ref: '#/info'}, {$ref: '#/x-p'}]}}}\n"
    found = read(_file(tmp_path, text + "x-p: {name: p, in: query, schema: {type: string}}\n"))
    assert [slip.pointer for slip in found.slips] == ["/paths/~1a/get/parameters/0"]
    assert found.root["paths"]["/a"]["get"]["parameters"] == [{"$ref": "#/x-p"}]


DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "T", "version": "1"},
    "paths": {
        "/a/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "post": {
                "parameters": [{"$ref": "#/components/parameters/P"}],
                "requestBody": {"$ref": "#/components/requestBodies/B"},
                "responses": {"200": {"$ref": "#/components/responses/R"}},
                "security": [{"key": []}],
                "callbacks": {"c": {"{$request.body#/u}": {"post": {"responses": {"200": {"description": "x"}}}}}},
            },
        }
    },
    "components": {
        "parameters": {"P": {"name": "p", "in": "query", "schema": {"type": "array", "items": {"enum": ["a"]}}}},
        "requestBodies": {"B": {"content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/S"}}}}},
        "responses": {
            "R": {
                "description": "x",
                "headers": {"X": {"schema": {"type": "integer"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/U"}}},
            }
        },
        "schemas": {
            "S": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "nullable": True}}},
            "U": {
                "oneOf": [{"$ref": "#/components/schemas/S"}],
                "discriminator": {"propertyName": "a", "mapping": {"x": "S"}},
            },
        },
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "K"}},
    },
}


def _places(node: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in inner:
        yield from _places(child, (*at, key))


ODD: tuple[Any, ...] = (None, True, -1, "x", [], {}, [None], {"$ref": "#/nowhere"}, {"$ref": "#"}, {"$ref": 5})


@pytest.mark.parametrize("place", [one for one in _places(DOCUMENT) if one], ids=lambda one: "/".join(map(str, one)))
def test_whatever_stands_where_it_should_not_is_left_out_or_refused_in_a_sentence(place: tuple[str | int, ...]) -> None:
    for odd in ODD:
        root = copy.deepcopy(DOCUMENT)
        holder: Any = root
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = odd
        with suppress(UsageError) if len(place) == 1 else nullcontext():
            found = loaded(json.dumps(root), "file:///d.json", "d.json")
            assert compare(found.root, found.root).verdict == "none"
            compare(DOCUMENT, found.root)
