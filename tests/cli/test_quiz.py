from __future__ import annotations

import base64
import csv
import dataclasses
import io
import itertools
import json
import re

import numpy as np
import pytest

from componium.cli.quizzing import page as page_module
from componium.cli.quizzing.answers import Share, Tally, read_answers, tallies
from componium.cli.quizzing.excerpts import TEMPO_BPM, alike, excerpt, mean_pitch, plain, possible_ends
from componium.cli.quizzing.held_out import HUMAN, composer_of, held_out
from componium.cli.quizzing.page import content, scrambled
from componium.cli.quizzing.pairs import FULL, INNER, LOWER, Plan, check_filled, make_pairs, questions, read_kinds
from componium.cli.quizzing.sounds import as_long, play_pairs
from componium.interface import setting
from componium.music.audio import Audio, silence
from componium.music.corpus import Corpus
from componium.music.errors import BadFile, BadInput, Cancelled
from componium.music.item import Item, hash_of_score
from componium.music.origin import Origin, Used
from componium.music.provenance import Learned, evaluation_fingerprints
from componium.music.score import (
    FERMATA,
    PHRASE_END,
    VOICE_NAMES,
    Note,
    Tempo,
    TextMeta,
    Track,
    length_beats,
    new_score,
    note_arrays,
    set_pickup,
    tempo_bpm,
    transpose,
    voices,
)
from componium.music.theory import key_of


def piece(seed, *, bars=8, lines=4, pickup=0, tonic=60, phrase=4):
    """Return a piece of its own melody in quarter notes, each phrase marked."""
    rng = np.random.default_rng(seed)
    score = new_score(tempo_bpm=120)
    beats = pickup + 4 * bars
    upper = tonic + np.array([0, 2, 4, 5, 7, 9, 11, 12])[rng.integers(0, 8, beats)]
    upper[:8] = tonic + np.array([0, 4, 7, 12, 7, 4, 2, 0])
    for line in range(lines):
        track = Track(VOICE_NAMES[line] if lines == 4 else "Melody", 40 + line)
        for beat in range(beats):
            lower = tonic - 12 * line + (0, 4, 7, 0)[line] if line else upper[beat]
            track.notes.append(Note(float(beat), 1.0, int(lower), 60 + 10 * line))
        score.tracks.append(track)
    for end in range(pickup + 4 * phrase - (1 if pickup else 0), beats + 1, 4 * phrase):
        score.markers.extend([TextMeta(end - 1.0, FERMATA), TextMeta(float(end), PHRASE_END)])
    return set_pickup(score, float(pickup)) if pickup else score


def entry(name, score):
    return Item(name, "score", score, source="made here", licence="CC0-1.0", hash=hash_of_score(score))


@pytest.fixture(scope="module")
def corpus():
    """Twelve pieces of their own, in five keys, some with a pickup."""
    return Corpus([entry(f"piece {n}", piece(n, bars=10, tonic=57 + n % 5, pickup=n % 2)) for n in range(12)],
                  name="made")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the stand-in."""

    lines: int = setting(4, "voices")
    spoil: bool = setting(False, "whether given voices are changed")


class Stand:
    """A model that composes and harmonises without learning."""

    name, Config, needs_training, deterministic = "stand", Settings, False, False

    def __init__(self, config=Settings()):
        self.config, self.provenance, self.figures, self.asked = config, {}, {}, []

    def generate(self, *, bars=8, seed=0, temperature=1.0, progress=None):
        """Compose."""
        self.asked.append((bars, seed))
        return piece(seed, bars=bars, lines=self.config.lines, tonic=64)

    def harmonize(self, score, *, given="auto", seed=0, temperature=1.0, progress=None):
        """Fill in."""
        self.asked.append((given, [track.name for track in score.tracks]))
        made = score.copy()
        for place, name in enumerate(VOICE_NAMES):
            if name not in [track.name for track in score.tracks]:
                track = Track(name)
                for beat in range(int(length_beats(score))):
                    track.notes.append(Note(float(beat), 1.0, 62 - 5 * place + (seed + beat) % 3, 80))
                made.tracks.append(track)
        if self.config.spoil:
            made.tracks[0].notes[0].pitch += 1
        return made


def quiet(*_):
    pass


@pytest.fixture
def player():
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")


# Held-out pieces

def learned_from(items):
    model = Stand()
    model.provenance, model.needs_training = Learned.of(items).to_json(), True
    return model


def test_nothing_that_was_learned_is_asked_about_not_even_in_another_key_or_rhythm(corpus):
    model = learned_from(corpus[:3])
    moved = entry("moved", transpose(corpus[1].content, 3))
    slower = corpus[2].content.copy()
    for track in slower.tracks:
        for note in track.notes:
            note.time, note.duration = 2 * note.time, 2 * note.duration
    music = Corpus([*corpus, moved, entry("slower", slower)], name="all")
    held = held_out(music, model, "m", 0)
    assert sorted(item.name for item in held) == sorted(item.name for item in corpus[3:])
    assert (held.same, held.related) == (3, 2)


def test_pieces_come_by_chance_and_the_test_part_first(corpus, monkeypatch):
    from componium.cli.quizzing import held_out as module

    parts = {piece.name: part for piece, part in zip(corpus, itertools.cycle(["valid", None, "test"]), strict=False)}
    names = {tuple(module.item_fingerprints(item)): item.name for item in corpus}
    monkeypatch.setattr(module, "benchmark_part", lambda prints: parts[names[tuple(prints)]])
    orders = [[item.name for item in held_out(corpus, Stand(), "m", seed)] for seed in (0, 0, 1)]
    assert [parts[name] for name in orders[0]] == ["test"] * 4 + ["valid"] * 4 + [None] * 4
    assert orders[0] == orders[1] != orders[2]


def test_a_model_that_learned_everything_or_does_not_say_is_refused(corpus):
    held = held_out(corpus, learned_from(corpus), "my.model", 0)
    with pytest.raises(BadInput, match=r"my\.model has heard all of made: it learned from 12 of its 12 pieces.*--on"):
        make_pairs(Plan(), Stand(), "my.model", {}, held, quiet)
    silent_model = Stand()
    silent_model.needs_training = True
    with pytest.raises(BadInput, match="does not say which pieces"):
        held_out(corpus, silent_model, "m", 0)
    with pytest.raises(BadInput, match="recordings only"):
        held_out(Corpus([Item("a", "audio", silence(1.0))], name="hums"), Stand(), "m", 0)


def test_only_chorales_of_the_benchmark_are_called_bach(corpus, monkeypatch):
    from componium.cli.quizzing import held_out as module

    assert composer_of("chorales", []) == "Bach" and composer_of("my/midi", list(corpus)) == HUMAN
    monkeypatch.setattr(module, "item_fingerprints", lambda item: evaluation_fingerprints()["test"][0])
    assert composer_of("valid.json", list(corpus)) == "Bach"


# Excerpts on equal terms

def test_two_excerpts_differ_in_their_notes_only():
    first, second = piece(1, bars=12, pickup=1, tonic=57), piece(2, bars=12, tonic=66)
    both = alike(first, second, 8)
    assert length_beats(both.first) == length_beats(both.second) == 32 and not both.cut
    keys = [key_of(each)[0] for each in (both.first, both.second)]
    assert keys[0] == keys[1] and keys[0].tonic_pitch_class == both.key
    for each in (both.first, both.second):
        assert [track.name for track in each.tracks] == [f"Voice {n}" for n in range(1, 5)]
        assert {track.program for track in each.tracks} == {0} and not len(each.markers)
        assert {int(v) for track in each.tracks for v in note_arrays(track)["velocity"]} == {80}
        assert tempo_bpm(each) == TEMPO_BPM and len(each.tempos) == 1
    ends = [{round(float(note.end), 3) for track in each.tracks for note in list(track.notes)[-1:]}
            for each in (both.first, both.second)]
    assert ends == [{32.0}, {32.0}]


def test_registers_come_together():
    for apart in range(-14, 15):
        both = alike(piece(1), piece(1, tonic=60 + apart), 8)
        assert abs(mean_pitch(both.first) - mean_pitch(both.second)) <= 6.1, apart
        assert key_of(both.first)[0].tonic_pitch_class == key_of(both.second)[0].tonic_pitch_class


def test_the_last_chord_is_held_to_end_together_and_nothing_else_changes():
    first, second = piece(1, phrase=4), piece(1, pickup=1, phrase=4)
    both = alike(first, second, 4)
    assert length_beats(both.first) == length_beats(both.second) == 16
    longer = alike(piece(1, bars=4), with_ends(piece(1, bars=5), 17.0), 4)
    assert length_beats(longer.first) == 17 and not longer.cut
    last = [max(track.notes, key=lambda n: n.time) for track in longer.first.tracks]
    assert {(n.time, n.duration) for n in last} == {(15.0, 2.0)}


def with_ends(score, *ends):
    score.markers = type(score.markers)([TextMeta(end, PHRASE_END) for end in ends])
    return score


def test_pieces_whose_phrases_never_meet_are_cut_and_faded_together():
    both = alike(with_ends(piece(1, bars=12), 24.0, 48.0), with_ends(piece(2, bars=12), 37.0, 48.0), 8)
    assert length_beats(both.first) == length_beats(both.second) == 24 and both.cut


def test_an_excerpt_ends_at_a_phrase_near_the_bars_or_at_the_bar():
    assert possible_ends(piece(1, bars=12), 8) == [32.0]
    assert possible_ends(piece(1, bars=12), 5) == [16.0]
    assert possible_ends(with_ends(piece(1, bars=20), 80.0), 9) == [36.0]
    assert possible_ends(piece(1, bars=4), 8) == [] and possible_ends(new_score(), 4) == []
    held = new_score()
    held.tracks.append(Track("x"))
    held.tracks[0].notes.extend([Note(0.0, 3.0, 60, 80), Note(3.0, 9.0, 62, 80), Note(12.0, 1.0, 64, 80)])
    part, cut = excerpt(held, 8.0)
    assert cut and [(n.time, n.duration) for n in part.tracks[0].notes] == [(0.0, 3.0), (3.0, 5.0)]


def test_drums_controls_and_lyrics_are_left_out():
    score = piece(1)
    score.tracks.append(Track("Drums", 0, True))
    score.tracks[-1].notes.append(Note(0.0, 1.0, 36, 80))
    score.tracks[0].lyrics.append(TextMeta(0.0, "la"))
    score.tempos.append(Tempo(4.0, qpm=40))
    bare = plain(score)
    assert len(bare.tracks) == 4 and not any(track.is_drum or len(track.lyrics) for track in bare.tracks)
    with pytest.raises(BadInput, match="outside 0 to 127"):
        plain(score, 100)


# Pairs and questions

def test_each_pair_has_pieces_of_its_own_and_the_seed_decides(corpus):
    plan = Plan(pairs=6, seed=3)
    made = [make_pairs(each, Stand(), "m", {}, held_out(corpus, Stand(), "m", each.seed), quiet)
            for each in (plan, plan, dataclasses.replace(plan, seed=4))]
    names = [[(pair.human_name, pair.made_name) for pair in pairs] for pairs in made]
    assert names[0] == names[1] != names[2]
    assert all(len(set(column)) == 6 for column in zip(*names[0], strict=True))
    assert all(length_beats(p.human) == length_beats(p.made) for p in made[0])
    seed = int(made[0][0].made_name.split()[1])
    again = plain(piece(seed, bars=12, tonic=64))
    tops = [[n.pitch for n in voices(each)[0].notes][:12] for each in (made[0][0].made, again)]
    assert np.ptp(np.subtract(*tops)) == 0  # the seed that is told composes the piece again, in another key


def test_voices_are_filled_in_beside_those_of_the_piece(corpus):
    model = Stand()
    pairs = make_pairs(Plan(pairs=6, kinds=(FULL, INNER, LOWER)), model, "m", {},
                       held_out(corpus, model, "m", 0), quiet)
    assert [pair.kind for pair in pairs] == [FULL, FULL, INNER, LOWER, INNER, LOWER]
    assert len({pair.human_name for pair in pairs}) == 6
    told = [each for each in model.asked if isinstance(each[0], str)]
    assert told[0] == ("soprano,bass", ["Soprano", "Bass"]) and told[1] == ("soprano", ["Soprano"])
    for pair in pairs[2:]:
        same = [[(n.time, n.pitch) for n in a.notes] == [(n.time, n.pitch) for n in b.notes]
                for a, b in zip(voices(pair.human), voices(pair.made), strict=True)]
        assert same == ([True, False, False, True] if pair.kind == INNER else [True, False, False, False])


def test_a_model_that_changes_what_it_is_given_is_refused(corpus):
    model = Stand(Settings(spoil=True))
    with pytest.raises(BadInput, match="changed the soprano of piece"):
        make_pairs(Plan(pairs=2, kinds=(INNER,)), model, "m", {}, held_out(corpus, model, "m", 0), quiet)
    three = entry("three", piece(1, lines=3))
    with pytest.raises(BadInput, match="up to 3 voices instead of 4"):
        check_filled(three, three.content, INNER, "m")


@pytest.mark.parametrize(("plan", "model", "told"), [
    (Plan(pairs=20), Stand(), r"has 12 held-out pieces and about 8 bars, too few for 20 pairs; ask for --pairs 12"),
    (Plan(pairs=4, bars=30), Stand(), r"made has 0 held-out pieces and about 30 bars.*ask for --bars 10"),
    (Plan(pairs=2), Stand(Settings(lines=1)), r"none of the 12 held-out pieces of made has 1 voice.*--on"),
])
def test_too_few_pieces_are_told_with_a_way_out(corpus, plan, model, told):
    with pytest.raises(BadInput, match=told):
        make_pairs(plan, model, "m", {}, held_out(corpus, model, "m", 0), quiet)


def test_models_that_fail_or_always_compose_the_same_are_told(corpus):
    class Fails(Stand):
        def generate(self, *, bars=8, seed=0):
            """Fail."""
            raise BadInput("no key fits")

    class Same(Stand):
        deterministic = True

    with pytest.raises(BadInput, match=r"m composed 0 pieces of about 8 bars in 4 attempts.*no key fits"):
        make_pairs(Plan(pairs=2), Fails(), "m", {}, held_out(corpus, Fails(), "m", 0), quiet)
    with pytest.raises(BadInput, match="always composes the same piece"):
        make_pairs(Plan(pairs=2), Same(), "m", {}, held_out(corpus, Same(), "m", 0), quiet)
    assert len(make_pairs(Plan(pairs=1), Same(), "m", {}, held_out(corpus, Same(), "m", 0), quiet)) == 1


def test_meters_and_modes_are_matched_where_there_are(corpus):
    minor = [entry(f"minor {n}", minor_piece(n)) for n in range(4)]
    mixed = Corpus([*minor, *corpus], name="mixed")
    pairs = make_pairs(Plan(pairs=8), Stand(), "m", {}, held_out(mixed, Stand(), "m", 0), quiet)
    assert all(pair.human_name.startswith("piece") for pair in pairs)  # the stand-in composes in major


def minor_piece(seed):
    score = piece(seed, bars=10)
    for track in score.tracks:
        for note in track.notes:
            note.pitch -= note.pitch % 12 in (4, 9, 11)
    return score


@pytest.mark.parametrize(("count", "repeats"), [(12, 3), (1, 1), (2, 2), (5, 5), (100, 10), (3, 0)])
def test_questions_hold_every_pair_once_and_repetitions_swapped(count, repeats):
    orders = set()
    for seed in range(20):
        asked = questions(count, repeats, seed)
        first = [each for each in asked if not each.repeat]
        again = [each for each in asked if each.repeat]
        assert sorted(each.pair for each in first) == list(range(count)) and len(again) == repeats
        assert len({each.pair for each in again}) == repeats
        assert abs(2 * sum(each.human_first for each in first) - count) <= 1  # always "A" is right in half of them
        for each in again:
            before = next(n for n, other in enumerate(asked) if other.pair == each.pair)
            place = asked.index(each)
            assert not asked[before].repeat and asked[before].human_first != each.human_first
            assert place > before and (place - before > 3 or count <= 6 or place == len(asked) - 1)
        orders.add(tuple(asked))
    assert len(orders) > (1 if count > 1 else 0) and questions(count, repeats, 5) == questions(count, repeats, 5)


def test_kinds_are_read_and_unknown_ones_named():
    assert read_kinds("full") == (FULL,) and read_kinds("Harmonised, full") == (FULL, INNER, LOWER)
    assert read_kinds("atb") == (LOWER,)
    for bad in ("", ",", "full,satb"):
        with pytest.raises(BadInput, match="no kind of pair"):
            read_kinds(bad)


# Sounds

def test_sounds_of_a_pair_are_alike_in_all_but_the_notes(corpus, player, tmp_path):
    from componium.registry import create

    pairs = make_pairs(Plan(pairs=2, bars=4), Stand(), "m", {}, held_out(corpus, Stand(), "m", 0), quiet)
    told = []
    sounds = play_pairs(pairs, create("soundfont"), 0, lambda *step: told.append(step))
    for human, made in sounds:
        assert len(human.data) == len(made.data) and human.seconds == made.seconds and human.kind == made.kind
        loudness = []
        for each in (human, made):
            (tmp_path / f"a{each.ending}").write_bytes(each.data)
            loudness.append(Audio.read(tmp_path / f"a{each.ending}").loudness_lufs)
        assert loudness[0] == pytest.approx(loudness[1], abs=0.5)
    assert told[-1] == (1.0, "2 pairs")


def test_the_shorter_sound_is_followed_by_silence_and_both_fade(sine):
    first, second = as_long(sine, silence(1.0))
    assert first.sample_count == second.sample_count == 44100 and not first.samples[:, 22050:].any()
    assert as_long(sine, sine, fade_seconds=0.2)[0].samples[0, -1] == pytest.approx(0.0, abs=1e-3)


def test_stopping_stops_the_playing(corpus, player):
    from componium.registry import create

    def stop(_fraction, _text=""):
        raise Cancelled("stopped")

    pairs = make_pairs(Plan(pairs=2, bars=4), Stand(), "m", {}, held_out(corpus, Stand(), "m", 0), quiet)
    with pytest.raises(Cancelled):
        play_pairs(pairs, create("soundfont"), 0, stop)


# The page

def small(corpus, *, pairs=3, repeats=1, kinds=(FULL,), composer="Bach", model=None):
    """Return a quiz whose sounds are short hums."""
    from componium.cli.pages.sound import encode

    model = model or Stand()
    plan = Plan(pairs=pairs, bars=4, repeats=repeats, kinds=kinds)
    made = make_pairs(plan, model, "m", {}, held_out(corpus, model, "m", 0), quiet)
    hum = np.sin(2 * np.pi * 220 * np.arange(22050) / 44100).astype(np.float32)
    sounds = [tuple(encode(Audio(hum[None] / (2 + n + 0.1 * side), 44100)) for side in (0, 1))
              for n in range(len(made))]
    origin = Origin("generated", verb="quiz", models=(Used("stand", "m", "ab" * 32),), seed=0)
    return page_module.Quiz(composer, "m </script>", made, sounds, questions(len(made), repeats, 0),
                            len(voices(made[0].human)), origin, [("Seed", "0")], "componium quiz --model m", 0)


def test_the_source_tells_nothing_at_a_glance(corpus):
    quiz = small(corpus, pairs=4)
    html = page_module.page(quiz)
    data = content(quiz)
    plain_text = html.replace(data["key"], "")
    for pair in quiz.pairs:
        assert pair.human_name not in plain_text and pair.made_name not in plain_text
    assert '"human"' not in plain_text.partition('id="quiz-data">')[2].partition("</script>")[0]
    clear = base64.b64decode(data["key"])
    assert b"human" not in clear and b"piece" not in clear and b"seed" not in clear
    firsts = [min(each) == each[0] for each in data["questions"]]
    truth = [question.human_first for question in quiz.questions]
    assert len(set(data["sounds"])) == 8 and firsts != truth and firsts != [not each for each in truth]


def test_scrambling_depends_on_the_word_and_is_undone_by_itself():
    first = base64.b64decode(scrambled("größe" * 20, "a1"))
    assert first != base64.b64decode(scrambled("größe" * 20, "a2"))
    stream = bytes(a ^ b for a, b in zip(first, ("größe" * 20).encode(), strict=True))
    assert len(set(stream)) > 50
    assert base64.b64decode(scrambled("x" * len(stream), "a1")) == bytes(b ^ ord("x") for b in stream)


def test_a_page_is_the_same_each_time_and_says_what_made_it(corpus):
    first, second = (page_module.page(small(corpus)) for _ in range(2))
    assert first == second and "default-src 'none'" in first
    assert not re.search(r'(?:src|href)="(?:https?:)?//', first)
    origin = Origin.from_json(re.search(r'id="origin">(.*?)</script>', first)[1])
    assert origin.models[0].checkpoint == "ab" * 32 and origin.verb == "quiz"
    assert first.count("</script>") == first.count("<script")
    assert "better part-writing" in first and "Which one did Bach compose?" in first
    one = piece_corpus_of_one_voice()
    html = page_module.page(small(one, composer=HUMAN, model=Stand(Settings(lines=1))))
    assert "better melody" in html and "Which one did a human compose?" in html and "Bach" not in html.partition(
        "<script>")[0]


def piece_corpus_of_one_voice():
    return Corpus([entry(f"piece {n}", piece(n, lines=1)) for n in range(6)], name="tunes")


# Answers

def answered(sitting="s1", training="plays", told="AABB", human="ABAB", **more):
    answers = [{"question": n + 1, "pair": n + 1, "kind": FULL, "repeat": False, "human": h, "told": t, "prefers": t,
                "writing": "A", "heard_a": 1, "heard_b": 2, "seconds": 3.5}
               for n, (t, h) in enumerate(zip(told, human, strict=True))]
    return {"format": "componium quiz answers", "version": 1, "quiz": "q", "sitting": sitting, "model": "m",
            "checkpoint": "c" * 64, "composer": "Bach", "training": training, "complete": True, "answers": answers,
            **more}


def write(path, data):
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_answers_are_added_up_by_training(tmp_path):
    files = [write(tmp_path / "a.json", answered()), write(tmp_path / "größe.json", answered("s2", "none", "ABAB")),
             write(tmp_path / "c.json", answered("s3", "none", "BABA"))]
    sittings, left_out = read_answers(files)
    groups = tallies(sittings)
    assert not left_out and list(groups) == ["everyone", "training: none", "training: plays"]
    assert (groups["everyone"].people, groups["everyone"].told.hits, groups["everyone"].told.trials) == (3, 6, 12)
    assert (groups["training: none"].told.hits, groups["training: plays"].told.hits) == (4, 2)
    assert groups["training: none"].prefers.hits == 4 and groups["everyone"].writing.hits == 6
    share = groups["everyone"].told
    assert (share.low, share.high) == pytest.approx((0.2109, 0.7891), abs=1e-4)  # tables of Clopper and Pearson
    assert str(Share.of(1, 1)) == "1 of 1, 100 % (3 to 100)"  # 2.5 %, rounded as in the page
    assert str(share) == "6 of 12, 50 % (21 to 79)" and share.needed > 300 and str(Share.of(0, 0)) == "-"


def test_repetitions_count_for_consistency_only(tmp_path):
    data = answered()
    data["answers"] += [{**data["answers"][0], "question": 5, "repeat": True, "human": "B", "told": "B"},
                        {**data["answers"][1], "question": 6, "repeat": True, "human": "A", "told": "A"}]
    tally = Tally.of(read_answers([write(tmp_path / "a.json", data)])[0])
    assert tally.told.trials == 4 and (tally.consistent.hits, tally.consistent.trials) == (1, 2)


def test_the_same_sitting_is_counted_once_and_the_longer_one_is_taken(tmp_path):
    half = answered()
    half["answers"] = half["answers"][:1]
    files = [write(tmp_path / "half.json", half), write(tmp_path / "whole.json", answered()),
             write(tmp_path / "copy.json", answered())]
    sittings, left_out = read_answers(files)
    assert len(sittings) == 1 and len(sittings[0].answers) == 4 and len(left_out) == 2


def test_kinds_of_pairs_are_told_apart(tmp_path):
    data = answered()
    data["answers"][0]["kind"] = INNER
    groups = tallies(read_answers([write(tmp_path / "a.json", data)])[0])
    assert groups["pairs alto and tenor filled in"].told.trials == 1
    assert groups["pairs composed from scratch"].told.trials == 3


@pytest.mark.parametrize(("change", "told"), [
    ({"format": "x"}, "something else"), ({"version": 2}, "newer version"), ({"training": "guru"}, "guru"),
    ({"answers": [{}]}, "is missing"), ({"answers": 3}, "no file of answers"),
    ({"answers": [{**answered()["answers"][0], "told": "C"}]}, "instead of A or B"),
    ({"answers": [{**answered()["answers"][0], "repeat": "maybe"}]}, "repeat is"),
    ({"answers": [{**answered()["answers"][0], "kind": "x"}]}, "no kind"),
    ({"answers": [{**answered()["answers"][0], "pair": None}]}, "no file of answers"),
])
def test_damaged_files_of_answers_are_told(tmp_path, change, told):
    path = write(tmp_path / "a.json", answered() | change)
    with pytest.raises(BadFile, match=told):
        read_answers([path])


@pytest.mark.parametrize(("name", "data"), [
    ("a.json", b"[1, 2"), ("a.json", b"\xff\xfe"), ("a.json", b"[]"), ("a.csv", b"a,b\n"), ("a.csv", b"a\n1\n"),
    ("a.json", b"[" * 100_000), ("a.json", b""), ("a.csv", b""),
])
def test_other_files_are_no_answers(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadFile, match="no file of answers"):
        read_answers([tmp_path / name])


# The verb

@pytest.fixture
def music(folder, chorales):
    from componium.music.formats import write_score

    for number in range(6):
        write_score(piece(number, bars=8, tonic=57 + number), folder / "music" / f"p{number}.mid")
    return folder / "music"


def test_the_verb_writes_a_page_and_never_over_another(run, folder, model, music, player):
    words = ["quiz", "--model", model, "--on", music, "--pairs", 2, "--bars", 4, "--out", "q.html"]
    done = run(*words, "phrase_bars=2")
    assert done.exit_code == 0, done.output
    assert "2 pairs (2 composed from scratch), 2 of them twice" in done.output and "wrote q.html" in done.output
    html = (folder / "q.html").read_text(encoding="utf-8")
    assert "phrase_bars=2" in html and "<td>small.markov (the model markov)</td>" in html
    data = data_of(html)
    assert len(data["questions"]) == 4 and len(data["sounds"]) == 4 and data["composer"] == HUMAN
    again = run(*words)
    assert again.exit_code == 1 and "--force" in again.output
    assert run(*words, "--force", "--seed", 1).exit_code == 0
    assert data_of((folder / "q.html").read_text(encoding="utf-8"))["id"] != data["id"]


def data_of(html):
    return json.loads(re.search(r'id="quiz-data">(.*?)</script>', html)[1])


@pytest.mark.parametrize(("words", "told"), [
    ([], "which model"), (["--model", "grammar"], "which page"), (["--model", "grammar", "--out", "q.txt"], ".html"),
    (["--model", "soundfont", "--out", "q.html"], "cannot compose"),
    (["--model", "grammar", "--out", "q.html", "--kinds", "harmonised"], "cannot harmonize"),
    (["--model", "grammar", "--out", "q.html", "--kinds", "satb"], "no kind"),
    (["--model", "grammar", "--out", "q.html", "--pairs", "2", "--repeats", "3"], "only 2 pairs"),
    (["--model", "grammar", "--out", "q.html", "--with", "kazoo"], "kazoo"),
    (["--model", "grammar", "--out", "q.html", "--with", "soprano=oboe"], "one instrument plays all"),
    (["--model", "grammar", "--out", "q.html", "colour=3"], "colour"),
    (["--model", "grammar", "--out", "q.html", "--on", "nowhere"], "nowhere"),
    (["--model", "grammar", "--out", "q.html", "--json", "a.json"], "--answers"),
    (["my model", "--out", "q.html"], "--model 'my model' --out quiz.html"),
    (["--answers"], "whose answers"), (["--answers", "none.json"], "none.json"),
])
def test_what_cannot_be_done_is_told_before_the_work(run, folder, words, told, player):
    done = run("quiz", *words)
    assert done.exit_code in (1, 2) and told in done.output and not (folder / "q.html").exists()
    assert "Traceback" not in done.output and len(done.output.strip().splitlines()) <= 2


def test_without_a_soundfont_nothing_is_composed(run, folder, monkeypatch):
    def missing(*_):
        raise BadInput("no SoundFont was found")

    monkeypatch.setattr("componium.music.soundfont.find_soundfont", missing)
    done = run("quiz", "--model", "grammar", "--out", "q.html")
    assert done.exit_code == 1 and "no SoundFont" in done.output


def test_answers_of_several_people_are_shown_and_written(run, folder):
    write(folder / "a.json", answered())
    write(folder / "b.json", answered("s2", "professional", "ABAB"))
    write(folder / "other.json", answered("s3", "none") | {"model": "another"})
    done = run("quiz", "--answers", "a.json", "b.json", "other.json", "b.json", "--json", "sum.json")
    assert done.exit_code == 0 and "6 of 8, 75 % (35 to 97)" in done.output and "training: professional" in done.output
    assert "counted once" in done.output and "different models" in done.output
    data = json.loads((folder / "sum.json").read_text())["models"]
    assert data["m (cccccccccccc), beside Bach"]["everyone"]["told"]["hits"] == 6 and len(data) == 2
    assert run("quiz", "--answers", "a.json", "--json", "sum.json").exit_code == 1


# In a browser

def wait_for(page, expression):
    """Wait until an expression is true; the page's policy forbids the browser to do so by itself."""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    pytest.fail(f"never: {expression}")


def answer_all(page, side, *, keys=False):
    """Answer every question by ``side(number, truth)``."""
    for number, truth in enumerate(page.evaluate("quiz.key.answers")):
        for name in "ab":
            page.keyboard.press(name)
            wait_for(page, f"quiz.state.answers[{number}].heard['ab'.indexOf('{name}')] > 0")
        for field in ("told", "prefers", "writing"):
            page.check(f"input[name={field}][value={side(number, truth)}]")
        page.keyboard.press("Enter") if keys else page.click("#ask button.main")


def begin(page, training="studied"):
    page.check(f"input[value={training}]")
    page.click("#start button.main")


@pytest.mark.browser
def test_a_quiz_is_answered_counted_and_saved(corpus, browse, tmp_path, run):
    quiz = small(corpus, pairs=5, repeats=2)
    (tmp_path / "q.html").write_text(page_module.page(quiz), encoding="utf-8")
    with browse(tmp_path / "q.html") as page:
        truth = page.evaluate("quiz.key")
        assert [each["human"] for each in truth["answers"]] == ["A" if q.human_first else "B" for q in quiz.questions]
        assert truth["names"] == [[pair.human_name, pair.made_name] for pair in quiz.pairs]
        page.click("#start button.main")
        assert "Choose one" in page.inner_text("#start .missing")
        begin(page)
        page.click("#ask button.main")
        assert "Listen to sound A and sound B first" in page.inner_text("#ask .missing")
        answer_all(page, lambda n, each: each["human"] if n else "BA"["AB".index(each["human"])])
        wrong_repeated = any(q.repeat and q.pair == quiz.questions[0].pair for q in quiz.questions)
        told = page.inner_text("#result .told")
        assert "4 of 5" in told and "28 % to 99 %" in told and "80 %" in told
        assert f"named the same piece as Bach's in {1 if wrong_repeated else 2}" in told
        with page.expect_download() as saving:
            page.click("[data-as=json]")
        saving.value.save_as(tmp_path / "a.json")
        with page.expect_download() as saving:
            page.click("[data-as=csv]")
        saving.value.save_as(tmp_path / "a.csv")
        assert not page.troubles and all(url.startswith(("file:", "data:", "blob:")) for url in page.asked)
    first, second = (read_answers([tmp_path / name])[0][0] for name in ("a.json", "a.csv"))
    assert first.answers == second.answers and dataclasses.replace(second, file=first.file) == first
    assert Tally.of([first]).told == Share.of(4, 5) and first.training == "studied"
    assert csv.reader(io.StringIO((tmp_path / "a.csv").read_text())).__next__()[0] == "format"
    done = run("quiz", "--answers", tmp_path / "a.json", tmp_path / "a.csv")
    assert done.exit_code == 0 and "4 of 5, 80 % (28 to 99)" in done.output and "counted once" in done.output


@pytest.mark.browser
def test_the_page_computes_what_python_computes(corpus, browse, tmp_path):
    from componium.evaluation.binomial import answers_needed, interval

    (tmp_path / "q.html").write_text(page_module.page(small(corpus, pairs=1, repeats=0)), encoding="utf-8")
    cases = [(k, n) for n in (1, 2, 5, 12, 40, 100, 377, 1000, 2336) for k in {0, 1, n // 3, n // 2, n - 1, n}]
    with browse(tmp_path / "q.html") as page:
        found = page.evaluate("all => all.map(([k, n]) => [...binomial.interval(k, n), binomial.answersNeeded(k, n)])",
                              cases)
        nothing = page.evaluate("[...binomial.interval(0, 0), binomial.answersNeeded(0, 0)]")
        assert nothing == [0, 1, answers_needed(0, 0)]
    for (hits, trials), (low, high, needed) in zip(cases, found, strict=True):
        assert (low, high) == pytest.approx(interval(hits, trials), abs=1e-9), (hits, trials)
        assert needed == answers_needed(hits, trials), (hits, trials)


@pytest.mark.browser
def test_answers_outlive_a_reload_and_a_quiz_can_begin_again(corpus, browse, tmp_path):
    (tmp_path / "q.html").write_text(page_module.page(small(corpus, pairs=3, repeats=0)), encoding="utf-8")
    with browse(tmp_path / "q.html", width=360, height=740) as page:
        begin(page, "none")
        page.keyboard.press("a")
        wait_for(page, "quiz.state.answers[0].heard[0] > 0")
        page.check("input[name=told][value=B]")
        page.reload()
        assert page.inner_text("#ask h2") == "Pair 1 of 3" and page.is_checked("input[name=told][value=B]")
        assert "heard once" in page.inner_text(".sample") and page.is_hidden("#start") and page.is_hidden("#result")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        answer_all(page, lambda n, each: "A", keys=True)
        assert page.is_visible("#result") and page.is_hidden("#ask")
        page.reload()
        assert "of 3 pairs." in page.inner_text("#result .told")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.once("dialog", lambda dialog: dialog.accept())
        page.click("#result .again")
        assert page.is_visible("#start") and page.evaluate("quiz.record().answers") == [] and not page.troubles


@pytest.mark.browser
def test_stopping_early_counts_what_was_answered_and_going_back_changes_it(corpus, browse, tmp_path):
    (tmp_path / "q.html").write_text(page_module.page(small(corpus, pairs=3, repeats=0, kinds=(FULL, INNER))),
                                     encoding="utf-8")
    with browse(tmp_path / "q.html") as page:
        begin(page)
        for name in "ab":
            page.keyboard.press(name)
            wait_for(page, f"quiz.state.answers[0].heard['ab'.indexOf('{name}')] > 0")
        right = page.evaluate("quiz.key.answers[0].human")
        wrong = "BA"["AB".index(right)]
        for field in ("told", "prefers", "writing"):
            page.check(f"input[name={field}][value={wrong}]")
        page.click("#ask button.main")
        page.click("#ask .back")
        assert page.is_checked(f"input[name=told][value={wrong}]")
        page.check(f"input[name=told][value={right}]")
        page.click("#ask .stop")  # the question whether one is sure is declined
        assert page.is_visible("#ask")
        page.once("dialog", lambda dialog: dialog.accept())
        page.click("#ask .stop")
        assert "1 of 1" in page.inner_text("#result .told") and "3 % to 100 %" in page.inner_text("#result .told")
        assert "not answered" in page.inner_text("#result .pairs")
        record = page.evaluate("quiz.record()")
        assert record["complete"] is False and len(record["answers"]) == 1 and not page.troubles


@pytest.mark.browser
def test_everything_can_be_done_with_the_keyboard_and_the_sound_is_heard(corpus, browse, tmp_path):
    (tmp_path / "q.html").write_text(page_module.page(small(corpus, pairs=1, repeats=0)), encoding="utf-8")
    with browse(tmp_path / "q.html") as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        assert page.is_visible("#ask") and page.evaluate("document.activeElement.textContent") == "Pair 1 of 1"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Play sound A"
        page.keyboard.press("Enter")
        wait_for(page, "+document.querySelector('.sample .seek').value > 0.05")
        page.keyboard.press("b")
        wait_for(page, "quiz.state.answers[0].heard[1] > 0")
        page.keyboard.press("Control+a")  # is the browser's own
        for _ in range(20):
            if page.evaluate("document.activeElement.name") == "told":
                break
            page.keyboard.press("Tab")
        for _ in range(3):
            page.keyboard.press("Space")
            page.keyboard.press("Tab")
        assert page.evaluate("quiz.state.answers[0].writing") == "A"
        page.locator("input[name=writing]").first.focus()
        page.keyboard.press("Enter")
        assert page.is_visible("#result") and page.evaluate("document.activeElement.textContent") == "Result"
        labels = page.evaluate("[...document.querySelectorAll('button')].every(b => b.textContent.trim() || "
                               "b.getAttribute('aria-label'))")
        assert labels and not page.troubles


@pytest.mark.browser
def test_a_browser_that_keeps_nothing_says_so(corpus, tmp_path, browse):
    html = page_module.page(small(corpus, pairs=1, repeats=0))
    blocked = html.replace('"use strict";', '"use strict"; Object.defineProperty(window, "localStorage", '
                                            '{ get() { throw new Error("blocked"); } });', 1)
    (tmp_path / "q.html").write_text(blocked, encoding="utf-8")
    with browse(tmp_path / "q.html") as page:
        begin(page)
        assert "keeps nothing" in page.inner_text(".kept") and not page.troubles
