"""Two outputs say the same where ids, times, tokens and random names are all that differs, and nothing else is."""

from __future__ import annotations

import json

import pytest

from conformance.rehearse.outputs import difference

SAME = {
    "ids of an answer": ('{"pipeline_pk_id": 25, "variant": 3}', '{"pipeline_pk_id": 7, "variant": 3}'),
    "one id where another instance has two": ("{'pk_id': 9, 'variant_pk_id': 9}", "{'pk_id': 12, 'variant_pk_id': 15}"),
    "uuids": ("c29a277a-10b9-48f9-a738-aafb296df8c2", "11111111-2222-4333-8444-555555555555"),
    "the order of fields": ("{'a': 1, 'b': [1, 2]}", '{"b": [1, 2], "a": 1}'),
    "tokens": ("{'Authorization': 'Bearer <redacted>'}", "{'Authorization': 'Bearer eyJa.eyJb.c-d'}"),
    "a JSON text within a text": ('\'{"id": 4, "x": [1]}\'', '{"x": [1], "id": 5}'),
    "a text in JSON that holds JSON": (
        json.dumps({"last": '{"name":"a","id":1}'}),
        json.dumps({"last": '{"name": "a", "id": 2}'}),
    ),
    "numbers within a millionth": ("[0.0014974177]", "[0.0014974179]"),
    "numbers in words": ("score 0.5000001 of a", "score 0.5 of a"),
    "times": ("made 2023-11-30 20:41:19.347+00:00", "made 2026-01-02 03:04:05.678+00:00"),
    "times as the SDK shows them": ("created 2024-27-Feb 17:53:44", "created 2026-29-Nov 20:00:00"),
    "milliseconds since 1970": ("0 1701376879347 x", "0 1764446400000 x"),
    "how long it took": ('{"elapsed": [53101, 318104]}', '{"elapsed": [4, 9]}'),
    "pods": ("engine-797d8958d9-fsszh", "engine-5c8f6d9b77-abcde"),
    "addresses of pods": ("{'ip': '10.244.3.145'}", "{'ip': '10.1.1.9'}"),
    "deployments in a URL": ("https://h/infer/my-pipeline-14/my-pipeline", "https://h/infer/my-pipeline-2/my-pipeline"),
    "white space": ('{"a":1,\n  "b":2}', '{"a": 1, "b": 2}'),
    "a wait's dots": ("Waiting ......... ok", "Waiting .. ok"),
    "how long a magic measured": ("Wall time: 2.3 s\n5", "Wall time: 41 ms\n5"),
    "whose address": ("by somebody@example.com", "by other.person@example.org"),
}

DIFFERENT = {
    "null and an object": ("null", "{}", "$ was null, and is {}"),
    "a field that went": ("{'a': 1, 'b': 2}", "{'a': 1}", "$.b was there, and is not any more"),
    "a field that came": ("[{'a': 1}]", "[{'a': 1, 'c': 0}]", "$[0].c was not there, and is now"),
    "a count": ("{'count': 1}", "{'count': 2}", "$.count was 1, and is 2"),
    "an id that is null": ("{'id': 4}", "{'id': None}", "$.id was 4, and is null"),
    "a number beyond a millionth": ("[0.0014974177]", "[0.0015974177]", "$[0] was 0.0014974177, and is 0.0015974177"),
    "a status": ("{'status': 'Running'}", "{'status': 'Error'}", "$.status was Running, and is Error"),
    "a host": ("https://a.api.b.c/x", "https://a.b.c/x", "was"),
    "a column": ("time in out check_failures", "time in out anomaly", "check_failures"),
    "more entries": ("[1]", "[1, 2]", "$ had 1 entries, and has 2"),
    "a line at its end": ("ok", "ok\ndone", "done"),
    "an integer in words": ("3 rows", "4 rows", "was 3 rows, and is 4 rows"),
    "true and one": ("[True]", "[1]", "$[0] was true, and is 1"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_is_another_in_every_run_is_no_difference(name: str) -> None:
    stored, now = SAME[name]
    assert (difference(stored, now), difference(now, stored), difference(now, now)) == ("", "", "")


@pytest.mark.parametrize("name", DIFFERENT)
def test_anything_else_is_one_and_is_said(name: str) -> None:
    stored, now, told = DIFFERENT[name]
    assert told in difference(stored, now)
    assert difference(now, stored)


def test_no_token_is_shown() -> None:
    told = difference("{'a': 'Bearer eyJsecret.eyJmore.sig', 'b': 1}", "{'a': 'nothing', 'b': 1}")
    assert told
    assert "eyJ" not in told
