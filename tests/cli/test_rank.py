from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from componium import checkpoint
from componium.cli.choosing import Candidate, Choice, draw
from componium.cli.choosing import candidates as choosing
from componium.cli.generate import Asked, words_of
from componium.music import stamps
from componium.music.errors import BadInput
from componium.music.formats import read_score, write_score
from componium.music.item import hash_of_score
from componium.music.origin import Origin, read_origin
from componium.music.score import Note, Track, new_score

MODEL_FILE = '''
from componium.interface import setting
from componium.music.score import Note, Track, new_score
import dataclasses

@dataclasses.dataclass(frozen=True)
class DiceConfig:
    faces: int = setting(3, "how many different pieces there are")

class Dice:
    """A die."""
    name = "dice"
    Config = DiceConfig
    needs_training = False
    deterministic = {deterministic}

    def __init__(self, config=DiceConfig()):
        self.config, self.provenance, self.figures = config, {{}}, {{}}

    def state(self):
        return {{}}, {{}}

    def load_state(self, arrays, json):
        pass

    def generate(self, *, bars=8, seed=0, progress=lambda *_: None):
        """Compose."""
        score = new_score()
        score.tracks.append(Track("Melody"))
        for beat in range(4 * bars):
            score.tracks[0].notes.append(Note(float(beat), 1.0, 60 + (seed % self.config.faces) * (beat % 3 + 1), 80))
        return score
'''


@pytest.fixture
def player():
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")


def listed(folder):
    return json.loads((folder / "candidates.json").read_text(encoding="utf-8"))


def notes(score):
    return [[(n.start, n.pitch, n.duration) for n in track.notes] for track in score.tracks]


def choice(count=5, seed=0):
    return Choice("generate", "m", "m", count, "pitch", None, seed, None)


def piece(*pitches):
    score = new_score()
    score.tracks.append(Track("Melody"))
    for beat, pitch in enumerate(pitches):
        score.tracks[0].notes.append(Note(float(beat), 1.0, pitch, 80))
    return score


def quiet(*_):
    pass


def test_what_no_candidate_has_cannot_rank_them():
    class Deaf:
        measure = "harmony"

        def __call__(self, scores, progress):
            return [float("nan")] * len(scores), [{}] * len(scores)

    found = list(draw(choice(2), lambda seed, _: (piece(60 + seed), Origin()), quiet))
    with pytest.raises(BadInput, match="none of the pieces has it"):
        choosing.rank(found, Deaf(), quiet)


# Drawing

def test_candidates_are_different_and_carry_their_seeds():
    found = list(draw(choice(5, seed=10), lambda seed, _: (piece(60 + seed // 2), Origin()), quiet))
    assert [(c.seed, c.name) for c in found] == [(s, f"m-seed{s}") for s in (10, 12, 14, 16, 18)]
    assert len({c.hash for c in found}) == 5


def test_drawing_ends_where_a_model_has_no_more():
    tried = []

    def make(seed, _progress):
        tried.append(seed)
        return piece(60 + seed % 2), Origin()

    assert len(list(draw(choice(5), make, quiet))) == 2
    assert len(tried) == 2 + choosing.PATIENCE
    tried.clear()
    assert len(list(draw(choice(200), make, quiet))) == 2 and len(tried) == 202


def test_seeds_that_give_nothing_are_passed_over_and_told_where_all_do():
    def make(seed, _progress):
        if seed % 3:
            raise BadInput("no way out")
        return piece(*[60 + seed] if seed else []), Origin()

    assert [c.seed for c in draw(choice(2), make, quiet)] == [3, 6]
    with pytest.raises(BadInput, match="no way out"):
        list(draw(choice(2), lambda *_: make(1, None), quiet))


def test_pieces_composed_together_are_those_composed_one_by_one():
    asked, told = [], []

    def pitch(seed):
        return 60 + seed // 2 if seed != 13 else None

    def one(seed, _progress):
        if pitch(seed) is None:
            raise BadInput("no way out")
        return piece(pitch(seed)), Origin()

    def many(seeds, progress):
        asked.append(list(seeds))
        for fraction in (0.0, 1.0):
            progress(fraction, "")
        return [one(seed, progress) for seed in seeds]

    def keep(fraction, _message=""):
        told.append(fraction)

    alone, together = (list(draw(choice(4, seed=10), one, quiet, each)) for each in (None, many))
    assert [(c.seed, c.hash) for c in together] == [(c.seed, c.hash) for c in alone]
    assert [c.seed for c in together] == [10, 12, 14, 16]
    assert asked[0] == [10, 11, 12, 13] and asked[1] == [14, 15] and len(asked) < 5
    asked.clear()
    list(draw(choice(4, seed=20), one, keep, many))
    assert told == sorted(told) and told[-1] <= 1.0 and asked == [[20, 21, 22, 23], [24, 25]]


def test_drawing_together_ends_where_drawing_alone_does():
    def one(seed, _progress):
        return piece(60 if seed < 40 else seed), Origin()

    def many(seeds, progress):
        return [one(seed, progress) for seed in seeds]

    counts = [[c.seed for c in draw(choice(30), one, quiet, each)] for each in (None, many)]
    assert counts[0] == counts[1] == [0]


def test_a_candidate_is_asked_for_again_with_the_very_settings():
    asked = Asked("m", {"key": "G minor"}, 4, 1, 0.123456789, Path("a b.mid"))
    assert words_of("generate", asked) == ["generate", "m", "key=G minor", "--bars", "4", "--temperature",
                                           "0.123456789", "--prompt", "a b.mid"]


def test_the_nearest_comes_first_and_what_cannot_be_measured_last():
    made = [Candidate(seed, piece(60), Origin(), str(seed), "") for seed in (1, 2, 3, 4)]
    choosing.rank(made, lambda *_: ([0.5, math.nan, 0.1, 0.5], [{}] * 4), quiet)
    assert [(c.seed, c.rank) for c in made] == [(3, 1), (1, 2), (4, 3), (2, 4)]


# The verbs

def test_generate_writes_ranked_candidates_with_a_page(run, folder, model, midi, player):
    result = run("generate", model, "--bars", 4, "--count", 4, "--rank", "harmony", "--on", midi, "--seed", 3,
                 "--out", "größe")
    assert result.exit_code == 0, result.stderr
    out, told = folder / "größe", listed(folder / "größe")
    made = told["candidates"]
    assert len({c["hash"] for c in made}) == 4 and [c["rank"] for c in made] == [1, 2, 3, 4]
    assert [c["distance"] for c in made] == sorted(c["distance"] for c in made) and min(c["seed"] for c in made) == 3
    assert sorted(os.listdir(out)) == sorted(["candidates.json", "index.html", *(
        f"small.markov-seed{c['seed']}{ending}" for c in made for ending in (".mid", ".mp3", ".musicxml"))])
    page = (out / "index.html").read_text(encoding="utf-8")
    order = [page.index(f"{c['rank']}. {c['name']}</h3>") for c in made]
    assert order == sorted(order) and "Faults of part-writing" in page and "parallel fifths" in page
    for candidate in made:
        score = read_score(out / candidate["files"][0])
        assert hash_of_score(score) == candidate["hash"] and f'href="{candidate["files"][1]}"' in page
        alone = f"again/{candidate['files'][0]}"
        assert run("generate", model, "--bars", 4, "--seed", candidate["seed"], "--out", alone).exit_code == 0
        assert (folder / alone).read_bytes() == (out / candidate["files"][0]).read_bytes()
        origin = read_origin(out / candidate["files"][0])
        assert (origin.verb, origin.seed) == ("generate", candidate["seed"])
        assert stamps.MARK.encode() in (out / f"{candidate['name']}.mp3").read_bytes()
    assert f"--seed {made[0]['seed']} --out {made[0]['files'][0]}" in page


def test_the_distance_is_that_of_the_profile_of_the_data(run, folder, model, midi, player):
    from componium.evaluation.profile import profile_of, rank_scores

    assert run("generate", model, "--bars", 4, "--count", 3, "--rank", "pitch_range", "--on", midi, "--seed", 1,
               "--out", "c").exit_code == 0
    told = listed(folder / "c")["candidates"]
    scores = [read_score(folder / "c" / c["files"][0]) for c in told]
    expected = rank_scores(scores, "pitch_range", profile_of(midi))
    assert [c["distance"] for c in told] == pytest.approx(expected, abs=1e-5)


def test_without_data_a_profile_that_ships_is_the_reference(run, folder, model, player):
    result = run("generate", model, "--bars", 2, "--count", 2, "--rank", "harmony", "--seed", 1, "--out", "c")
    assert result.exit_code == 0 and "chorales" in listed(folder / "c")["like"], result.stderr


def test_continue_ranks_by_how_likely_the_new_bars_are(run, folder, model, midi, player):
    source = sorted(midi.glob("chorale*.mid"))[0]
    result = run("continue", model, source, "--bars", 2, "--count", 3, "--rank", "likelihood", "--seed", 1,
                 "--out", "c")
    assert result.exit_code == 0, result.stderr
    judge, kept = checkpoint.load(model), notes(read_score(source))
    for candidate in listed(folder / "c")["candidates"]:
        assert candidate["name"] == f"chorale-0-continued-seed{candidate['seed']}"
        score = read_score(folder / "c" / candidate["files"][0])
        assert [track[:len(old)] for track, old in zip(notes(score), kept, strict=True)] == kept
        told = judge.log_likelihood(score)
        new = told.nats[told.step >= 32 * told.steps_per_beat]
        assert 0 < len(new) < len(told.nats) and candidate["distance"] == pytest.approx(float(np.mean(new)), abs=1e-5)


@pytest.mark.parametrize("stem", ["my first idea", "x" * 150, "音楽 " * 20])
def test_score_and_sound_of_a_candidate_have_one_name_with_its_seed(run, folder, model, midi, player, stem):
    source = folder / f"{stem}.mid"
    source.write_bytes(sorted(midi.glob("chorale*.mid"))[0].read_bytes())
    words = ["continue", model, source, "--bars", 1, "--count", 2, "--rank", "pitch", "--on", midi, "--out", "c"]
    for seed in (3, 70):
        result = run(*words, "--seed", seed, "--force")
        assert result.exit_code == 0, result.stderr
        found = [path for path in (folder / "c").iterdir() if "-seed" in path.name]
        assert sorted(path.suffix for path in found) == [".mid"] * 2 + [".mp3"] * 2 + [".musicxml"] * 2
        assert {path.stem for path in found} == {each["name"] for each in listed(folder / "c")["candidates"]}
        assert min(int(path.stem.rpartition("-seed")[2]) for path in found) == seed


def test_a_melody_is_ranked_by_what_is_defined_for_it(run, folder, player, melodies):
    (folder / "dice.py").write_text(MODEL_FILE.format(deterministic=False))
    for each in melodies:
        write_score(each.content, folder / "songs" / f"{each.name}.mid")
    result = run("generate", "./dice.py:Dice", "--count", 5, "--rank", "pitch", "--on", "songs", "--seed", 0,
                 "--out", "c")
    assert result.exit_code == 0, result.stderr
    assert "only 3 different pieces, and not 5" in result.stderr and len(listed(folder / "c")["candidates"]) == 3
    assert "NaN" not in (folder / "c" / "candidates.json").read_text()
    result = run("generate", "./dice.py:Dice", "--count", 2, "--rank", "harmony", "--on", "songs", "--out", "d")
    assert result.exit_code == 1 and "there is no harmony" in result.stderr and "rank by pitch" in result.stderr
    assert not (folder / "d").exists()


def test_a_model_that_ignores_seeds_leaves_nothing_to_choose_from(run, folder):
    (folder / "dice.py").write_text(MODEL_FILE.format(deterministic=True))
    result = run("generate", "./dice.py:Dice", "--count", 3, "--rank", "pitch", "--out", "c")
    assert result.exit_code == 1 and "nothing to choose from" in result.stderr and not (folder / "c").exists()


@pytest.mark.parametrize(("words", "told"), [
    (["--rank", "harmony"], "--count 8"),
    (["--on", "chorales"], "--on says what"),
    (["--count", "3", "--rank", "harmnoy"], "did you mean harmony"),
    (["--count", "3", "--rank", "nonsense"], "use pitch, rhythm, harmony, structure, all, likelihood"),
    (["--count", "3", "--rank", "harmony", "--out", "a.mid"], "--out FOLDER"),
    (["--count", "3", "--rank", "likelihood", "--on", "chorales"], "--on is for the other measures"),
    (["--count", "3", "--rank", "likelihood"], "does not judge music"),
    (["--count", "3", "--rank", "harmony", "--on", "nowhere/at/all"], "nowhere/at/all"),
    (["--count", "2000", "--rank", "harmony"], "2 to 1000"),
    (["--count", "2", "--rank", "harmony", "--out", "taken"], "--force"),
    (["--count", "2", "--rank", "harmony", "--out", "taken", "--force"], "other things than candidates"),
])
def test_what_cannot_be_ranked_is_told_before_the_work(run, folder, words, told):
    (folder / "taken").mkdir()
    (folder / "taken" / "thesis.txt").write_text("mine")
    result = run("generate", "grammar", *words)
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert os.listdir(folder) == ["taken"] and os.listdir(folder / "taken") == ["thesis.txt"]


def test_continue_needs_a_measure_for_several(run, folder, model, midi):
    result = run("continue", model, sorted(midi.glob("chorale*.mid"))[0], "--count", 3)
    assert result.exit_code == 1 and "--rank" in result.stderr


def test_force_replaces_the_candidates_of_before_and_nothing_else(run, folder, model, midi, player):
    words = ["generate", model, "--bars", 2, "--count", 2, "--rank", "pitch", "--on", midi, "--out", "c"]
    assert run(*words, "--seed", 1).exit_code == 0
    (folder / "c" / "notes.txt").write_text("mine")
    before = sorted(os.listdir(folder / "c"))
    assert run(*words, "--seed", 50).exit_code == 1 and sorted(os.listdir(folder / "c")) == before
    assert run(*words, "--seed", 50, "--force").exit_code == 0
    seeds = {name.partition("-seed")[2].partition(".")[0] for name in os.listdir(folder / "c") if "-seed" in name}
    assert len(seeds) == 2 and min(map(int, seeds)) == 50 and (folder / "c" / "notes.txt").read_text() == "mine"


def test_what_stops_halfway_leaves_nothing(run, folder, model, midi, player, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("componium.cli.choosing.audition.make_takes", stop)
    before = sorted(os.listdir(folder))
    result = run("generate", model, "--bars", 2, "--count", 2, "--rank", "pitch", "--on", midi, "--out", "c")
    assert result.exit_code == 130 and sorted(os.listdir(folder)) == before


def test_the_same_command_writes_the_same_files(run, folder, model, midi, player):
    def digests(name):
        words = ["--bars", 2, "--count", 2, "--rank", "all", "--on", midi, "--seed", 4, "--out", name]
        assert run("generate", model, *words).exit_code == 0
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / name).iterdir()}

    assert digests("a") == digests("b")


@pytest.mark.browser
def test_the_audition_page_plays_and_shows_faults(run, folder, model, midi, player, browse):
    pytest.importorskip("verovio", reason="no engraving without the extra notation")
    assert run("generate", model, "--bars", 4, "--count", 3, "--rank", "harmony", "--on", midi, "--seed", 1,
               "--out", "c").exit_code == 0
    with browse(folder / "c" / "index.html", width=400) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.click("tr:nth-child(2) [data-play]")
        page.wait_for_function("() => ['.sheet', '.roll'].every(e => document.querySelector(`#t2 ${e} .on`))")
        page.click("th:has-text('Seed') button")
        seeds = page.evaluate("[...document.querySelectorAll('.take h3')].map(e => +e.textContent.split('seed')[1])")
        assert seeds == sorted(seeds) and not page.troubles
        assert all(url.startswith("file:") for url in page.asked)
