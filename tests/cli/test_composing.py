"""What the verbs that work on a score share: the order of their arguments, and whose mistake a sentence tells of."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from componium.cli.composing import Ready, composed
from componium.music.errors import BadInput
from componium.music.formats import write_score
from componium.music.origin import GENERATED, Origin
from componium.music.score import Note, Track, new_score

VERBS = {"continue": [], "harmonize": [], "infill": ["--where", "1"], "respond": []}


@pytest.fixture
def call(folder):
    score = new_score()
    score.tracks.append(Track("Melody"))
    score.tracks[0].notes.append(Note(0.0, 1.0, 60, 80))
    write_score(score, folder / "my call.mid")
    return "my call.mid"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("model", ["melody-rnn", "my.markov"])
def test_a_score_in_the_place_of_the_model_is_told(run, folder, call, verb, model):
    result = run(verb, call, model, *VERBS[verb])
    assert result.exit_code == 1
    assert result.stderr == (f"error: my call.mid is a score: the model comes first: componium {verb} {model} "
                             "'my call.mid'\n")


def test_two_scores_are_told_that_a_model_is_missing(run, folder, call):
    result = run("respond", call, call)
    assert "the model comes first: componium respond MODEL 'my call.mid'" in result.stderr


def test_a_name_that_is_no_score_is_looked_for_as_a_model(run, folder, call):
    assert "melody-rnm" in run("respond", "melody-rnm", call).stderr
    assert "is a score" not in run("respond", "missing.mid", call).stderr
    shutil.copytree(Path(__file__).parent, folder / "folder.mid")
    assert "is a score" not in run("respond", "folder.mid", call).stderr


def ready_with(text, **arguments):
    """Return what is ready for a model that cannot: it says why."""
    def respond(score, *, seed, progress, **others):
        raise BadInput(text)

    asked = SimpleNamespace(file=Path("music/call.mid"), seed=3)
    return Ready(asked, SimpleNamespace(respond=respond), None, arguments, Origin(GENERATED, "0"))


@pytest.mark.parametrize(("text", "told"), [
    ("the score has no notes", "music/call.mid: the score has no notes"),
    ("2 of 3 notes begin beside the grid", "music/call.mid: 2 of 3 notes begin beside the grid"),
    ("top_p=7: it is between 0 and 1", "top_p=7: it is between 0 and 1"),
    ("rules.txt, line 3: no such rule", "rules.txt, line 3: no such rule"),
    ("call.mid: has no bars", "call.mid: has no bars"),
])
def test_a_sentence_on_the_score_names_its_file_and_no_other_does(text, told):
    with pytest.raises(BadInput) as error:
        composed(ready_with(text, constraints=Path("a/rules.txt")), "respond", lambda *_: None, None)
    assert str(error.value) == told


def test_another_seed_than_asked_for_is_that_of_the_origin():
    made = Ready(SimpleNamespace(seed=3), SimpleNamespace(respond=lambda score, *, seed, progress: seed), None, {},
                 Origin(GENERATED, "0"))
    for seed, wanted in ((None, 3), (0, 0), (9, 9)):
        piece, origin = composed(made, "respond", lambda *_: None, seed)
        assert piece == origin.seed == wanted
