from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from componium.lessons.notebook import (
    ANSWER_HERE,
    code_cells,
    lesson_of,
    read_notebook,
    student_form,
    without_solution,
    write_notebook,
)
from componium.lessons.shelf import find, lessons
from componium.music.errors import BadFile, BadInput

pytest.importorskip("jupytext", reason="notebooks need the extra lessons")
LESSONS = lessons()
HEADINGS = [r"# \d+\. .+", "## The idea", "## With NumPy alone", r"(## Exercise \d+: .+)+",
            "(## The same in torch)?", "## The same in Componium", "## Listen", "## Going on"]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_has_its_headings_in_order(lesson):
    notebook = read_notebook(lesson.text)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.findall(r"^##? .+$", text, re.M)
    assert re.fullmatch("".join(HEADINGS), "".join(found)), found
    assert found[0] == f"# {int(lesson.number)}. {lesson.title}"
    assert f"About {lesson.minutes} minutes" in text


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_has_a_cell_and_a_check_for_each_exercise(lesson):
    cells = code_cells(read_notebook(lesson.text))
    for number, (name, title) in lesson.exercises.items():
        (answer,) = [cell for cell in cells if f"exercise-{number}" in cell.tags]
        (asked,) = [cell for cell in cells if f"check-{number}" in cell.tags]
        assert "# solution:begin" in answer.source and name in answer.source
        assert f'check("{lesson.number}", {number}, {name})' in asked.source and asked.number == answer.number + 1
        assert lesson.exercise(number).title == title
    assert f"[{lesson.title}]({lesson.name}/lesson.py) | {lesson.minutes}" in (
        lesson.folder.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_students_form_keeps_all_but_the_solutions(lesson):
    solved = read_notebook(lesson.text)
    before = [cell.source for cell in solved.cells]
    student = student_form(solved, lesson.name)
    assert [cell.source for cell in solved.cells] == before
    assert len(student.cells) == len(solved.cells) and lesson_of(student) == lesson.name
    for old, new in zip(solved.cells, student.cells, strict=True):
        tags = old.metadata.get("tags", [])
        assert new.metadata.get("tags", []) == tags
        if any(tag.startswith("exercise-") for tag in tags):
            assert "solution" not in new.source and new.source.count(ANSWER_HERE) == 1
        else:
            assert new.source == old.source


@pytest.mark.parametrize("ending", [".ipynb", ".py"])
def test_a_written_notebook_is_read_again_and_always_the_same(tmp_path, ending):
    student = student_form(read_notebook(find("01").text), "01_markov")
    first, second = tmp_path / f"ä ö{ending}", tmp_path / f"b{ending}"
    for path in (first, second):
        write_notebook(student, path)
    assert first.read_bytes() == second.read_bytes()
    again = read_notebook(first)
    assert code_cells(again) == code_cells(student)
    if ending == ".ipynb":
        assert lesson_of(again) == "01_markov"
        assert json.loads(first.read_text(encoding="utf-8"))["nbformat"] == 4


def test_outputs_are_taken_out(tmp_path):
    notebook = read_notebook(find("01").text)
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code["outputs"], code["execution_count"] = [{"output_type": "stream", "name": "stdout", "text": "64"}], 7
    cleared = next(cell for cell in student_form(notebook).cells if cell.cell_type == "code")
    assert cleared.outputs == [] and cleared.execution_count is None
    assert code.outputs and code.execution_count == 7


@pytest.mark.parametrize(("source", "left"), [
    ("a = 1", "a = 1"),
    ("# solution:begin\na = 1\n# solution:end", ANSWER_HERE),
    ("def f():\n    # solution:begin\n    return 1\n    # solution:end\nb = 2", f"def f():\n    {ANSWER_HERE}\nb = 2"),
    ("if a:\n\t#solution:begin\n\tb\n\t#solution:end", f"if a:\n\t{ANSWER_HERE}"),
    ("# solution:begin\n# solution:end\nc\n# solution:begin\nd\n# solution:end", f"{ANSWER_HERE}\nc\n{ANSWER_HERE}"),
    ("text = '# solution:begin'", "text = '# solution:begin'"),
])
def test_a_solution_becomes_one_line(source, left):
    assert without_solution(source) == left


@pytest.mark.parametrize(("source", "told"), [
    ("a\n# solution:begin\nb", "line 2 .* has no '# solution:end'"),
    ("# solution:end", "line 1 .* ends that has not begun"),
    ("# solution:begin\n# solution:begin\n# solution:end", "line 2 .* begins inside another"),
])
def test_a_solution_that_is_not_closed_is_refused(source, told):
    with pytest.raises(BadInput, match=told):
        without_solution(source)


def test_a_cell_of_the_solution_only_is_left_out():
    notebook = read_notebook(find("01").text)
    count = len(notebook.cells)
    notebook.cells[3].metadata["tags"] = ["solution"]
    assert len(student_form(notebook).cells) == count - 1


EMPTY = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@pytest.mark.parametrize(("name", "content", "told"), [
    ("a.ipynb", b"", "is empty"),
    ("a.ipynb", b"{not json", "its JSON is damaged"),
    ("a.ipynb", b'{"cells": [{"cell_type": "code", "sou', "saved to the end"),
    ("a.ipynb", b"[1, 2]", "it has no cells"),
    ("a.ipynb", b'{"notes": [60]}', "it has no cells"),
    ("a.ipynb", b'{"cells": [{"kind": 3}], "metadata": {}, "nbformat": 4}', "not a notebook that can be read"),
    ("a.ipynb", b"[" * 100_000, "its JSON is damaged"),
    ("a.ipynb", EMPTY.encode(), "no code cell"),
    ("a.ipynb", b"MThd\x00\xff\xfe\x80", "it is not text"),
    ("a.py", b"# %% [markdown]\n# only words\n", "no code cell"),
    ("a.mid", b"MThd", "ends with .ipynb or .py"),
    ("a", b"x = 1", "ends with .ipynb or .py"),
])
def test_what_is_no_notebook_is_told(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile, match=re.escape(told)):
        read_notebook(tmp_path / name)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(BadFile, match="there is no such file"):
        read_notebook(tmp_path / "a.ipynb")
    with pytest.raises(BadFile, match="is a folder"):
        read_notebook(tmp_path)


def test_a_notebook_of_an_older_format_is_told(tmp_path):
    old = {"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": []}]}
    (tmp_path / "old.ipynb").write_text(json.dumps(old))
    with pytest.raises(BadFile, match="format of before 2015; open and save it in Jupyter"):
        read_notebook(tmp_path / "old.ipynb")


@pytest.mark.parametrize("lesson", [LESSONS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in LESSONS[1:])],
                         ids=lambda lesson: lesson.name)
def test_a_notebook_in_a_real_kernel_shows_pictures_and_sound(lesson, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")
    notebook = read_notebook(lesson.text)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3",
                            resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in data for data in shown) >= 2
    assert "<audio" in str(shown[-1].get("text/html")) and "data:audio/wav" in str(shown[-1])
    said = [data["text/plain"] for data in shown if str(data.get("text/plain", "")).startswith("Exercise")]
    assert said == [f"Exercise {number}: right." for number in lesson.exercises]
    assert list(Path(tmp_path).iterdir()) == []
