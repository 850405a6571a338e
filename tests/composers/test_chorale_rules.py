"""What `chorale-rnn` composes under a constraint file keeps its rules, whatever the network would rather do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from componium import registry
from componium.benchmarks.material import invented
from componium.music.constraint_check import violations
from componium.music.constraints import Constraints
from componium.music.errors import BadInput
from componium.music.grid import to_grid
from componium.music.score import Score, Track, new_score, set_notes

pytest.importorskip("torch")

RULES = """
bars 1-2: scale D dorian
bar 3 beats 1-2: chord G7
bar 2: must contain F
tenor: 1-6 onsets a bar
alto: range F3-C5
bass bar 1: melody C3 D3 E3
end: cadence authentic in C major
"""


@pytest.fixture(scope="module")
def model():
    """A network that has not learned: it would do anything."""
    made = registry.create("chorale-rnn", hidden=16, layers=1, head=16)
    made.measure([made.prepare(item) for item in invented(3, bars=4)])
    made.network.eval()
    made.trained = True
    return made


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.txt"
    path.write_text(RULES, encoding="utf-8")
    return path


def melody(pitches: list[int]) -> Score:
    score = new_score()
    track = Track("Soprano", 52, False)
    beats = np.arange(len(pitches))
    set_notes(track, {"time": beats, "duration": np.ones(len(pitches)), "pitch": np.array(pitches),
                      "velocity": np.full(len(pitches), 80)})
    score.tracks.append(track)
    return score


def kept(score: Score, path: Path) -> bool:
    return violations(to_grid(score), Constraints.read(path)) == []


def test_new_pieces_keep_the_rules(model, rules):
    composed = model.generate_many(count=6, bars=4, seed=1, temperature=2.0, constraints=rules)
    assert all(kept(score, rules) for score in composed)
    assert not kept(model.generate(bars=4, seed=1), rules)


@pytest.mark.parametrize("method", ["sample", "greedy", "beam"])
def test_harmonies_keep_the_rules_and_the_melody(model, rules, method):
    given = [72, 74, 76, 77, 76, 74, 72, 69, 71, 74, 72, 71, 72, 74, 71, 72]
    made = model.harmonize(melody(given), seed=1, method=method, candidates=4, constraints=rules)
    assert kept(made, rules)
    assert made.tracks[0].notes.numpy()["pitch"].tolist() == given


def test_a_melody_against_the_rules_is_told_with_the_line(model, rules):
    with pytest.raises(BadInput, match=r"rules.txt: line 2 .* and the given notes contradict each other"):
        model.harmonize(melody([73] * 16), constraints=rules)
