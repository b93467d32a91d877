"""Files are read as cells with the outputs that they keep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.errors import UsageError
from conformance.rehearse.reading import Stored, named_host, names_in, programs

PAGE = """# A page

```python
print("first")
```

    {"id": 3}

Words between.

```python
frame
```

<table border="1"><tr><th>time</th><td>1701376879347</td></tr></table>

* a list

    with a paragraph of its own

```text
no code
```

```bash
curl https://one.api.example.com/v1/api/config
```
"""


def test_a_pages_blocks_have_the_output_below_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    (program,) = programs([page])
    assert [(one.index, one.cell.start.line) for one in program.cells] == [(1, 4), (2, 12), (3, 26)]
    first, second, third = (one.stored for one in program.cells)
    assert first == Stored('{"id": 3}')
    assert second is not None
    assert (second.as_html, second.text.split()) == (True, ["time", "1701376879347"])
    assert third is None
    assert program.cells[2].code.startswith("%%bash\ncurl")
    assert named_host([program]) == "one.api.example.com"


def test_a_notebooks_cells_have_theirs_without_standard_error_and_pictures(tmp_path: Path) -> None:
    outputs = [
        {"output_type": "stream", "name": "stderr", "text": ["a warning"]},
        {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
        {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": ["<Figure>"]}},
        {"output_type": "execute_result", "data": {"text/html": ["<b>x</b>"], "text/plain": ["3"]}},
        {"output_type": "error", "ename": "KeyError", "evalue": "'a'", "traceback": []},
    ]
    cells = [
        {"cell_type": "markdown", "source": ["words"]},
        {"cell_type": "code", "source": ["x = 1\n", "x"], "outputs": outputs},
        {"cell_type": "code", "source": [], "outputs": []},
    ]
    notebook = tmp_path / "a.ipynb"
    notebook.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    (program,) = programs([notebook])
    assert [(one.index, one.code) for one in program.cells] == [(2, "x = 1\nx"), (3, "")]
    assert program.cells[0].stored == Stored("one\ntwo\n\n(image)\n3", "KeyError")
    assert program.cells[1].stored is None


def test_a_notebook_of_another_language_is_said_to_be_one(tmp_path: Path) -> None:
    told = {"cells": [], "metadata": {"kernelspec": {"name": "ir", "language": "R"}}}
    (tmp_path / "a.ipynb").write_text(json.dumps(told), encoding="utf-8")
    assert programs([tmp_path])[0].unfit == "Its kernel is one for R; a rehearsal runs Python."


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", "", "a.txt cannot be run; a rehearsal runs .ipynb, .md, .py, .sh, .bash."),
        ("a.ipynb", "{}", "is not a Jupyter notebook"),
        ("a.ipynb", "no JSON", "is not a Jupyter notebook"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(name: str, content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=told):
        programs([tmp_path / name])


def test_a_folder_without_files_to_run_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "a.py").touch()
    with pytest.raises(UsageError, match="can be run"):
        programs([tmp_path])
    with pytest.raises(UsageError, match="There is no file"):
        programs([tmp_path / "nowhere.py"])


def test_names_are_read_and_bound_in_shell_lines_too() -> None:
    code = "import os as system\nanswer = ask(url)['id']\n!curl {base}/x -d '{{1: {answer}}}' $HOME\ndef f(): return g"
    names = [(line, sorted(one.reads), sorted(one.binds)) for line, one in names_in(code)]
    assert names == [
        (1, [], ["system"]),
        (2, ["ask", "url"], ["answer"]),
        (3, ["HOME", "__shell__", "answer", "base"], []),
        (4, ["g"], ["f"]),
    ]
