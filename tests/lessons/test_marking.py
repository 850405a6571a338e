"""Marking: every way in which a notebook can go wrong, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from componium.lessons import marking
from componium.lessons.marking import answers_of, mark
from componium.lessons.notebook import Cell, code_cells, read_notebook, student_form
from componium.lessons.shelf import find, lessons
from componium.lessons.verdict import FAILED, NOT_ANSWERED, RIGHT, TOO_LONG, WRONG, StoppedByStudent
from componium.lessons.worker import Counted, plain_python
from componium.music.errors import BadInput

LESSON = find("01")
SET_UP = "import numpy as np\ndef contexts_of(p, o):\n    return sorted({tuple(p[i:i+o]) for i in range(len(p)-o+1)})"
MATRIX = """def transition_matrix(pitches, order):
    contexts, notes = contexts_of(pitches, order), sorted(set(pitches))
    counts = np.zeros((len(contexts), len(notes)))
    for start in range(len(pitches) - order):
        counts[contexts.index(tuple(pitches[start:start + order])), notes.index(pitches[start + order])] += 1
    for row in counts:
        if row.sum() == 0:
            row[:] = [pitches.count(note) for note in notes]
    return counts / counts.sum(axis=1, keepdims=True)"""
DRAW = """def sample_next(row, temperature, rng):
    if temperature == 0:
        return int(np.argmax(row))
    weights = (row / row.max()) ** (1 / temperature)
    return int(rng.choice(len(row), p=weights / weights.sum()))"""
LOOP = "def {}(*_):\n    while True:\n        pass"


def marked(tmp_path, *sources, **more):
    cells = [Cell(number, source) for number, source in enumerate((SET_UP, *sources), 1)]
    return mark(LESSON, cells, tmp_path, **more)


def statuses(report):
    return [report.verdicts[number].status for number in LESSON.exercises]


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.name)
def test_the_solved_lesson_is_right_and_the_students_form_is_not_answered(tmp_path, lesson):
    pytest.importorskip("jupytext", reason="notebooks need the extra lessons")
    pytest.importorskip("IPython", reason="notebooks need the extra lessons")
    solved = read_notebook(lesson.text)
    done = []
    report = mark(lesson, code_cells(solved), tmp_path, whole=True, progress=lambda share, _: done.append(share))
    assert {verdict.status for verdict in report.verdicts.values()} == {RIGHT}, report
    assert report.failed_cells == {} and report.right_count == len(lesson.exercises)
    assert report.seconds < 120
    assert done == sorted(done) and 0.8 < done[-1] < 1.0
    report = mark(lesson, code_cells(student_form(solved)), tmp_path, whole=True)
    assert {verdict.status for verdict in report.verdicts.values()} == {NOT_ANSWERED} and report.failed_cells == {}
    assert list(tmp_path.iterdir()) == []


def test_the_lesson_ends_with_sines_where_there_is_no_soundfont(tmp_path):
    pytest.importorskip("jupytext", reason="notebooks need the extra lessons")
    pytest.importorskip("IPython", reason="notebooks need the extra lessons")
    without = "import sys\nfrom componium.music import soundfont\nsys.modules['pretty_midi'] = None\n" \
              "soundfont._system_files = lambda: iter(())"
    cells = [Cell(100, without), *code_cells(read_notebook(LESSON.text)), Cell(101, "assert len(composed) > 10")]
    report = mark(LESSON, cells, tmp_path, whole=True)
    assert report.failed_cells == {} and report.right_count == 2


def test_the_lesson_on_networks_says_what_it_proves_and_goes_on_without_torch(tmp_path):
    pytest.importorskip("jupytext", reason="notebooks need the extra lessons")
    pytest.importorskip("IPython", reason="notebooks need the extra lessons")
    lesson = find("recurrent")
    solved = code_cells(read_notebook(lesson.text))
    asserted = [cell.source for cell in solved if "assert" in cell.source]
    assert "assert max(errors.values()) < 1e-6" in asserted[0] and asserted[1].count("< 1e-6") == 2
    without = Cell(100, "import sys\nclass Nowhere:\n    def find_spec(self, name, *_):\n        if name == 'torch':\n"
                        "            raise ModuleNotFoundError(name, name=name)\nsys.meta_path.insert(0, Nowhere())")
    after = Cell(101, "assert torch is None and losses[-1] < 0.1 < losses[0] and len(score.tracks[0].notes) > 10\n"
                      "for song in songs.values():\n    assert sing(weights, song[:5], np.argmax) == list(song)")
    report = mark(lesson, [without, *solved, after], tmp_path, whole=True)
    assert report.failed_cells == {} and report.right_count == 3


def test_answers_are_judged_without_any_check_in_the_notebook(tmp_path):
    assert statuses(marked(tmp_path, MATRIX, DRAW)) == [RIGHT, RIGHT]
    report = marked(tmp_path, MATRIX.replace("axis=1", "axis=0"), DRAW)
    assert statuses(report) == [WRONG, RIGHT]
    report = marked(tmp_path, DRAW)
    assert statuses(report) == [NOT_ANSWERED, RIGHT]
    assert "There is no `transition_matrix` in the notebook" in report.verdicts[1].message


def test_a_loop_without_end_is_stopped_and_the_rest_is_judged(tmp_path):
    begun = time.monotonic()
    report = marked(tmp_path, LOOP.format("transition_matrix"), DRAW, limit_seconds=1)
    assert statuses(report) == [TOO_LONG, RIGHT]
    assert "did not end within 1 s" in report.verdicts[1].message
    assert time.monotonic() - begun < 20


@pytest.mark.slow
def test_a_loop_in_a_cell_of_the_notebook_that_asks_for_the_check_is_stopped(tmp_path):
    asks = "from componium.lessons import check\nverdict = check('01', 1, transition_matrix)\nafter = verdict.right"
    report = marked(tmp_path, LOOP.format("transition_matrix"), asks, "assert after is False", DRAW, limit_seconds=2)
    assert statuses(report) == [TOO_LONG, RIGHT]
    assert report.failed_cells == {}


@pytest.mark.slow
def test_an_answer_cell_that_does_not_end_is_left_out(tmp_path):
    report = marked(tmp_path, MATRIX + "\nwhile True: pass", DRAW, limit_seconds=2)
    assert statuses(report) == [TOO_LONG, RIGHT]
    assert "Code cell 2" in report.verdicts[1].message and 2 in report.failed_cells


@pytest.mark.slow
def test_the_whole_has_a_limit_too(tmp_path, monkeypatch):
    monkeypatch.setattr(marking, "REST_SECONDS", 1.0)
    report = marked(tmp_path, *["while True: pass"] * 4, MATRIX, DRAW, limit_seconds=1)
    assert statuses(report) == [NOT_ANSWERED, NOT_ANSWERED]
    assert "the notebook took longer than 3 seconds in all" in report.verdicts[1].message
    assert "did not end within" in report.failed_cells[2] and report.seconds < 8


@pytest.mark.slow
def test_another_cell_that_does_not_end_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(marking, "REST_SECONDS", 4.0)
    report = marked(tmp_path, "while True: pass", MATRIX, DRAW, limit_seconds=2)
    assert statuses(report) == [RIGHT, RIGHT] and report.failed_cells == {2: "It did not end within 2 s."}


@pytest.mark.parametrize(("cell", "told"), [
    ("def transition_matrix(pitches, order)\n    return 1", ["Code cell 2: SyntaxError in line 1", "expected ':'"]),
    ("x = 1\ntransition_matrix = undefined", ["Code cell 2: NameError in line 2 (`transition_matrix = undefined`)"]),
    ("def transition_matrix(p, o):\n    return p[999]", ["IndexError in line 2 (`return p[999]`): list index"]),
    ("def transition_matrix(pitches, order):\n    exit()", ["calls exit() in line 2", "take that out"]),
    ("exit()\ndef transition_matrix(p, o): pass", ["Code cell 2: It calls exit() in line 1"]),
    ("def transition_matrix(pitches, order):\n    import os; os._exit(3)", ["ended Python (exit status 3)"]),
    ("def transition_matrix(pitches, order):\n    return input('matrix? ')", ["with input()", "in line 2"]),
    ("def transition_matrix(pitches, order):\n    while True: print(pitches)", ["prints more than 1,000,000 char"]),
    ("def transition_matrix(pitches, order):\n    return [0] * 10**13", ["more memory than there is in line 2"]),
    ("def transition_matrix(pitches, order):\n    raise ValueError('Tönchen ♪\\n' * 99)", ["ValueError", "Tönchen ♪"]),
])
def test_what_goes_wrong_in_an_answer_is_told_with_its_line(tmp_path, cell, told):
    report = marked(tmp_path, cell, DRAW)
    assert statuses(report) == [FAILED, RIGHT]
    message = report.verdicts[1].message
    assert all(part in message for part in told) and len(message) < 700, message


@pytest.mark.skipif(not hasattr(os, "kill") or sys.platform == "win32", reason="signals of POSIX")
def test_an_answer_that_ends_the_process_by_a_signal_is_told(tmp_path):
    report = marked(tmp_path, "def transition_matrix(*_):\n    import os; os.kill(os.getpid(), 11)", DRAW)
    assert statuses(report) == [FAILED, RIGHT]
    assert "SIGSEGV" in report.verdicts[1].message


def test_other_cells_that_fail_are_told_and_do_not_stop_the_check(tmp_path):
    report = marked(tmp_path, "1 / 0", MATRIX, "print('x' * 2_000_000)", "input()", DRAW, "never = reached")
    assert statuses(report) == [RIGHT, RIGHT]
    assert report.failed_cells.keys() == {2, 4, 5}
    assert report.failed_cells[2] == "ZeroDivisionError in line 1 (`1 / 0`): division by zero."


def test_a_deleted_cell_that_others_need_is_told(tmp_path):
    report = mark(LESSON, [Cell(1, MATRIX), Cell(2, DRAW)], tmp_path)
    assert statuses(report) == [FAILED, FAILED]
    assert "NameError" in report.verdicts[1].message and "contexts_of" in report.verdicts[1].message
    assert statuses(mark(LESSON, [Cell(1, "pass")], tmp_path)) == [NOT_ANSWERED, NOT_ANSWERED]
    assert statuses(mark(LESSON, [], tmp_path)) == [NOT_ANSWERED, NOT_ANSWERED]


def test_the_notebook_runs_in_its_folder_and_not_in_this_process(tmp_path):
    (tmp_path / "mine.py").write_text("ORDER = 1")
    (tmp_path / "json.py").write_text("raise RuntimeError('a module of the student')")
    here = "import os, mine\nopen('seen.txt', 'w').write(str(os.getpid()))\n"
    assert statuses(marked(tmp_path, here + MATRIX, DRAW)) == [RIGHT, RIGHT]
    assert int((tmp_path / "seen.txt").read_text()) != os.getpid()
    assert "mine" not in sys.modules


def test_what_a_notebook_started_is_ended_with_it(tmp_path):
    child = "import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    keep = "open('child.txt', 'w').write(str(p.pid))\n"
    marked(tmp_path, child + keep + MATRIX, DRAW)
    assert has_ended(int((tmp_path / "child.txt").read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_loop_ends_with_the_process_that_asked_even_if_that_is_killed(tmp_path):
    pid = tmp_path / "pid.txt"
    answer = f"import os\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\nwhile True: pass"
    asks = ("from pathlib import Path\nfrom componium.lessons import marking, notebook, shelf\n"
            f"marking.mark(shelf.find('01'), [notebook.Cell(1, {answer!r})], Path({str(tmp_path)!r}))")
    with subprocess.Popen([sys.executable, "-c", asks]) as asking:
        begun = time.monotonic()
        while not (pid.exists() and pid.read_text()) and time.monotonic() - begun < 20:
            time.sleep(0.05)
        asking.kill()
    assert has_ended(int(pid.read_text()))


def has_ended(pid: int) -> bool:
    """Wait up to five seconds for a process to end."""
    for _ in range(50):
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        if not state.stdout.strip() or state.stdout.startswith("Z"):
            return True
        time.sleep(0.1)
    return False


def test_stopping_ends_the_process(tmp_path):
    def stop(_share, message):
        if message == "code cell 2":
            raise KeyboardInterrupt
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        marked(tmp_path, "import time; time.sleep(30)", MATRIX, progress=stop)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("limit", [0, -1, float("nan"), 1e9])
def test_a_limit_has_to_be_a_time(tmp_path, limit):
    with pytest.raises(BadInput, match=r"give 0\.1 to 3600"):
        marked(tmp_path, MATRIX, limit_seconds=limit)


@pytest.mark.parametrize(("source", "tags", "found"), [
    (MATRIX, (), [1]), (DRAW, (), [2]), ("x = 1", ("exercise-2",), [2]), ("transition_matrix = 3", (), [1]),
    ("def transition_matrix(", (), [1]), ("print(transition_matrix)", (), []), ("", (), []),
])
def test_the_exercise_that_a_cell_answers(source, tags, found):
    assert answers_of(LESSON, Cell(1, source, tags)) == found


@pytest.mark.parametrize(("source", "left"), [
    ("a = 1\nb = a % 2", "a = 1\nb = a % 2\n"),
    ("%matplotlib inline\na = 1", "pass\na = 1\n"),
    ("if a:\n    !pip install x\nb", "if a:\n    pass\nb\n"),
    ("np.argmax?\n??a", "pass\npass\n"),
    ("%%time\na = 1", "pass\na = 1\n"),
    ("%%bash\nrm -r x", "\n"),
    ("", "\n"),
])
def test_what_only_notebooks_understand_is_left_out(source, left):
    assert plain_python(source) == left


def test_printing_is_counted():
    out = Counted()
    print("x" * 999_000, file=out)
    with pytest.raises(StoppedByStudent, match="take the print out of the loop"):
        print("x" * 999_000, file=out)


def test_lessons_are_found_by_number_and_name():
    assert find("01") == find("1") == find("markov") == find(" 01_markov ") == LESSON
    assert Path(LESSON.text).is_file()
    for wrong in ("99", "0", "", "mark", "../01_markov", "1.0"):
        with pytest.raises(BadInput, match=r"the lessons are 01 \(Markov chains\)"):
            find(wrong)
    with pytest.raises(BadInput, match="has no exercise 3; its exercises: 1, 2"):
        LESSON.exercise(3)
