"""`componium lesson`: list, open, check and student, and what they say when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from componium.cli import lesson as verb
from componium.lessons.notebook import ANSWER_HERE
from componium.lessons.shelf import find

pytest.importorskip("jupytext", reason="notebooks need the extra lessons")
LESSON = find("01")
MATRIX_OF_ZEROS = "def transition_matrix(pitches, order):\n    contexts = contexts_of(pitches, order)\n" \
                  "    return np.zeros((len(contexts), len(set(pitches))))"


def answered(folder, name, number, source):
    """Put an answer into the cell of an exercise of a notebook."""
    notebook = json.loads((folder / name).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if f"exercise-{number}" in cell["metadata"].get("tags", []):
            cell["source"] = source
    (folder / name).write_text(json.dumps(notebook), encoding="utf-8")


def solution(number):
    text = LESSON.text.read_text(encoding="utf-8")
    return text.partition(f'# %% tags=["exercise-{number}"]\n')[2].partition("# %%")[0]


def test_the_solution_is_checked_where_there_is_no_notebook(run):
    pytest.importorskip("IPython", reason="notebooks need the extra lessons")
    result = run("lesson", "check", "01")
    assert result.exit_code == 0, result.output
    assert "its own solution" in result.stdout and "2 of 2 exercises right" in result.stdout


def test_a_student_opens_answers_and_is_told(run, folder):
    assert "not opened in this folder" in run("lesson", "list").stdout
    opened = run("lesson", "open", "01", "--no-start")
    assert opened.exit_code == 0 and "wrote 01_markov.ipynb" in opened.stdout
    assert "componium lesson check 01 01_markov.ipynb" in opened.stdout
    text = (folder / "01_markov.ipynb").read_text(encoding="utf-8")
    assert text.count(ANSWER_HERE) == 2 and "solution" not in text
    assert "01_markov.ipynb, not checked yet" in run("lesson", "list").stdout

    result = run("lesson", "check", "01")
    assert result.exit_code == 1 and result.stdout.count("not answered yet") == 2
    assert "0 of 2 right" in run("lesson", "list").stdout

    answered(folder, "01_markov.ipynb", 1, MATRIX_OF_ZEROS)
    answered(folder, "01_markov.ipynb", 2, solution(2))
    assert "0 of 2 right, changed since" in run("lesson", "list").stdout
    result = run("lesson", "check", "01", "--json", "said.json")
    assert result.exit_code == 1
    assert "(transition_matrix): wrong\n  The matrix holds only zeros" in result.stdout
    assert "1 of 2 exercises right" in result.stdout
    said = json.loads((folder / "said.json").read_text())
    assert [each["status"] for each in said["exercises"]] == ["wrong", "right"] and said["right"] == 1

    answered(folder, "01_markov.ipynb", 1, solution(1))
    before = (folder / "01_markov.ipynb").read_bytes()
    assert run("lesson", "check", "markov").exit_code == 0
    assert "2 of 2 right" in run("lesson", "list").stdout
    assert (folder / "01_markov.ipynb").read_bytes() == before


def test_the_work_of_a_student_is_only_replaced_when_asked(run, folder):
    (folder / "01_markov.ipynb").write_text("my work")
    result = run("lesson", "open", "01", "--no-start")
    assert result.exit_code == 0 and "is there already; it is kept" in result.stdout
    assert (folder / "01_markov.ipynb").read_text() == "my work"
    assert run("lesson", "open", "01", "--no-start", "--force").exit_code == 0
    assert "your answer goes here" in (folder / "01_markov.ipynb").read_text(encoding="utf-8")


def test_a_notebook_goes_into_a_folder_that_may_be_new(run, folder):
    result = run("lesson", "open", "1", "--out", "mein kurs ♪", "--no-start")
    assert result.exit_code == 0 and "componium lesson check 01 'mein kurs ♪/01_markov.ipynb'" in result.stdout
    result = run("lesson", "check", "01", "mein kurs ♪/01_markov.ipynb")
    assert result.exit_code == 1 and "mein kurs ♪/01_markov.ipynb" in result.stdout


def test_the_students_form_of_a_file_and_its_check_as_python(run, folder):
    assert run("lesson", "student", LESSON.text, "--out", "a.py").exit_code == 0
    text = (folder / "a.py").read_text(encoding="utf-8")
    assert text.count(ANSWER_HERE) == 2 and "# %% tags=[\"exercise-1\"]" in text
    result = run("lesson", "check", "01", "a.py")
    assert result.exit_code == 1 and result.stdout.count("not answered yet") == 2
    (folder / "a.py").write_text(LESSON.text.read_text(encoding="utf-8").replace("axis=1", "axis=0"), encoding="utf-8")
    result = run("lesson", "check", "01", "a.py")
    assert result.exit_code == 1 and "1 of 2 exercises right" in result.stdout
    result = run("lesson", "student", "a.py", "--out", "a.py", "--force")
    assert result.exit_code == 1 and "is the solved notebook itself" in result.stderr
    (folder / "b.py").write_text("# %%\n# solution:begin\nx = 1\n")
    result = run("lesson", "student", "b.py")
    assert result.exit_code == 1 and "no '# solution:end'" in result.stderr
    assert run("lesson", "student", "a.py").exit_code == 0 and (folder / "a-student.ipynb").is_file()


def test_a_loop_without_end_is_told(run, folder):
    (folder / "a.py").write_text("# %%\ndef transition_matrix(pitches, order):\n    while True:\n        pass\n")
    begun = time.monotonic()
    result = run("lesson", "check", "01", "a.py", "--limit", "1")
    assert result.exit_code == 1 and time.monotonic() - begun < 20
    assert "took too long" in result.stdout and "Is there a loop without end?" in result.stdout
    assert "There is no `sample_next` in the notebook" in result.stdout


def test_cells_that_fail_beside_right_answers_are_warnings(run, folder):
    run("lesson", "student", LESSON.text, "--out", "01_markov.ipynb")
    for number in (1, 2):
        answered(folder, "01_markov.ipynb", number, solution(number))
    notebook = json.loads((folder / "01_markov.ipynb").read_text(encoding="utf-8"))
    extra = {"cell_type": "code", "id": "mine", "metadata": {}, "outputs": [], "execution_count": 1, "source": "1 / 0"}
    notebook["cells"].insert(1, extra)
    (folder / "01_markov.ipynb").write_text(json.dumps(notebook))
    result = run("lesson", "check", "01")
    assert result.exit_code == 0
    assert "warning: code cell 1: ZeroDivisionError in line 1 (`1 / 0`)" in result.stderr


@pytest.mark.parametrize(("words", "told"), [
    (["check", "99"], "there is no lesson '99'; the lessons are 01 (Markov chains), 02 (Recurrent networks)"),
    (["open", "x"], "there is no lesson 'x'"),
    (["check", "01", "none.ipynb"], "none.ipynb: there is no such file"),
    (["check", "01", "."], "is a folder; name a notebook"),
    (["check", "01", "song.mid"], "ends with .ipynb or .py"),
    (["check", "01", "cut.ipynb"], "its JSON is damaged"),
    (["check", "01", "other.ipynb"], "is a notebook of lesson 02_other: componium lesson check 02 other.ipynb"),
    (["check", "01", "--json", "song.mid"], "song.mid: is there already"),
    (["check", "01", "--limit", "0"], "--limit"),
    (["student", "cut.ipynb"], "its JSON is damaged"),
    (["student", "cut.ipynb", "--out", "song.mid"], "its JSON is damaged"),
    (["open", "01", "--no-start", "--out", "song.mid"], "song.mid: is a file"),
])
def test_what_cannot_be_done_is_told_in_a_sentence(run, folder, words, told):
    (folder / "song.mid").write_bytes(b"MThd")
    (folder / "cut.ipynb").write_text('{"cells": [')
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": "a", "id": "a"}
    (folder / "other.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5,
                                                    "metadata": {"componium": {"lesson": "02_other"}}}))
    result = run("lesson", *words)
    assert result.exit_code in (1, 2) and told in result.stderr and "Traceback" not in result.output, result.output
    assert (folder / "song.mid").read_bytes() == b"MThd"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(run, folder):
    (folder / "shut").mkdir(mode=0o500)
    result = run("lesson", "open", "01", "--out", "shut", "--no-start")
    assert result.exit_code == 1 and "no permission" in result.stderr


def test_without_the_extra_the_command_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jupytext", None)
    result = run("lesson", "check", "01")
    assert result.exit_code == 1 and "pip install 'componium[lessons]'" in result.stderr
    assert run("lesson", "list").exit_code == 0


def test_progress_that_cannot_be_kept_is_no_error(run, folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv("COMPONIUM_CACHE", str(folder / "file" / "cache"))
    (folder / "01_markov.py").write_text("# %%\nx = 1\n")
    assert run("lesson", "check", "01").exit_code == 1
    assert "01_markov.py, not checked yet" in run("lesson", "list").stdout


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 3}'])
def test_a_damaged_record_of_progress_is_ignored(run, folder, content):
    (folder.parent / "cache").mkdir()
    (folder.parent / "cache" / "lessons.json").write_text(content)
    (folder / "01_markov.py").write_text("# %%\nx = 1\n")
    assert "not checked yet" in run("lesson", "list").stdout


def test_jupyter_is_started_where_it_is_installed_and_somebody_looks(run, folder, monkeypatch):
    started = []
    monkeypatch.setattr(verb.importlib.util, "find_spec", lambda name: name == "notebook" or None)
    assert "-m notebook 01_markov.ipynb" in run("lesson", "open", "01").stdout
    monkeypatch.setattr(verb, "somebody_looks", lambda: True)
    monkeypatch.setattr(verb.subprocess, "run", lambda words, check: started.append(words) or _Done())
    assert run("lesson", "open", "01").exit_code == 0
    assert started[0][1:] == ["-m", "notebook", "01_markov.ipynb"]
    run("lesson", "open", "01", "--no-start")
    assert len(started) == 1


class _Done:
    returncode = 0


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_the_check_and_what_it_runs(start, folder):
    (folder / "a.py").write_text("# %%\nimport os, time\nopen('pid.txt', 'w').write(str(os.getpid()))\ntime.sleep(25)\n"
                                 "def transition_matrix(): pass\n")
    process = start("lesson", "check", "01", "a.py", "--limit", "30")
    for _ in range(200):
        if (folder / "pid.txt").exists() and (folder / "pid.txt").read_text():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130 and "stopped" in told
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid.txt").read_text()), 0)
