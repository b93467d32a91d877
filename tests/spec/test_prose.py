"""Sentences are found wherever Markdown keeps them, and their digests survive reformatting."""

from __future__ import annotations

from tests.oracles.prose import normalised, sentences

TEXT = """# Title

First sentence.  Second one, of [a link](https://x.example/y)!

* An *item*.
* Another

| Field | Type |
|---|---|
| **id** | *Integer* |

```json
{"a": 1}
```

    printed
    output

## Next
<table>
<tr></tr>
</table>
"""


def test_every_kind_of_block_gives_its_units_under_its_heading() -> None:
    found = [(one.heading, one.kind, one.text, one.line) for one in sentences(TEXT)]
    assert found == [
        ("Title", "paragraph", "First sentence.", 3),
        ("Title", "paragraph", "Second one, of a link!", 3),
        ("Title", "item", "An item .", 5),
        ("Title", "item", "Another", 6),
        ("Title", "table", "id Integer", 10),
        ("Title", "code", '{"a": 1}', 12),
        ("Title", "output", "printed output", 16),
        ("Next", "output", "<table> <tr></tr> </table>", 20),
    ]


def test_a_digest_looks_through_emphasis_links_and_white_space() -> None:
    one, other = "A **bold** [word](https://x.example) and `code`", "A bold word\nand   code"
    assert normalised(one) == normalised(other)
    assert next(sentences(one)).digest == next(sentences(other)).digest
    assert next(sentences(one)).digest != next(sentences("Another bold word and code")).digest


def test_an_unclosed_block_ends_with_the_text() -> None:
    assert [one.kind for one in sentences("```\nopen")] == ["code"]
    assert list(sentences("")) == []
