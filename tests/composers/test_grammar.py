from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

import componium as cp
from componium.composers.grammar.model import EXAMPLES, MAX_BARS, Grammar, GrammarConfig
from componium.composers.grammar.reading import fold, lay_out, read_chord, read_melody, read_turtle
from componium.composers.grammar.rewriting import MAX_SYMBOLS, read_productions, rewrite
from componium.composers.grammar.voicing import VOICE_RANGES, voice, voicings
from componium.music.errors import BadInput, Cancelled
from componium.music.score import Note, Track, bars, length_beats, new_score, set_pickup, tempo_bpm
from componium.music.theory import CHORDS, Chord, Key, chord_name


def own(**settings: object) -> Grammar:
    return Grammar(GrammarConfig(example="none", **settings))


def notes_of(score: object) -> list[tuple[float, float, int]]:
    return [(note.time, note.duration, note.pitch) for track in score.tracks for note in track.notes]


# the rewriting


def test_algae_words_have_fibonacci_lengths() -> None:
    model = Grammar(GrammarConfig(example="fibonacci"))
    assert [len(model.derive(n)) for n in range(10)] == [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]
    assert model.derivation(3) == ["0: A", "1: A b", "2: A b A", "3: A b A A b"]


def test_hilbert_word_has_the_curve_s_number_of_steps() -> None:
    model = Grammar(GrammarConfig(example="hilbert"))
    assert [model.derive(n).count("F") for n in range(1, 5)] == [4**n - 1 for n in range(1, 5)]


def test_all_symbols_are_replaced_at_once() -> None:
    table = read_productions("A -> B; B -> A", "chords")
    assert rewrite(["A", "B", "A"], table, np.random.default_rng(0)) == ["B", "A", "B"]


def test_neighbours_decide_and_the_more_exact_rule_wins() -> None:
    table = read_productions("I -> x; V < I -> y; V < I > IV -> z; I > IV -> w", "chords")
    rng = np.random.default_rng(0)
    assert rewrite(["I", "V", "I", "IV", "V", "I", "I", "IV"], table, rng) == ["x", "V", "z", "IV", "V", "y", "w", "IV"]


def test_neighbours_are_looked_up_across_brackets() -> None:
    table = read_productions("a < b -> c", "melody")
    assert rewrite(list("a[b]b"), table, np.random.default_rng(0)) == list("a[c]b")


def test_probabilities_are_kept() -> None:
    table = read_productions("A -> a (0.1) | b | c (0.3)", "chords")
    assert table["A"][0].probabilities == pytest.approx((0.1, 0.6, 0.3))
    word = rewrite(["A"] * 20_000, table, np.random.default_rng(1))
    assert [word.count(s) / 20_000 for s in "abc"] == pytest.approx([0.1, 0.6, 0.3], abs=0.02)


def test_low_temperature_takes_the_likeliest_choice_and_high_levels() -> None:
    table = read_productions("A -> a (0.3) | b (0.7)", "chords")
    assert set(rewrite(["A"] * 300, table, np.random.default_rng(0), 0.01)) == {"b"}
    level = rewrite(["A"] * 4000, table, np.random.default_rng(0), 1000.0)
    assert level.count("a") / 4000 == pytest.approx(0.5, abs=0.04)


def test_stated_probabilities_alone_are_scaled() -> None:
    assert read_productions("A -> a (0.2) | b (0.2)", "chords")["A"][0].probabilities == (0.5, 0.5)


@pytest.mark.parametrize("rule", [
    "V", "-> V", "V ->", "V -> I |", "V -> I (0.3", "V -> I (1.4) | V", "V -> I (x)", "V -> (0.3)",
    "V -> I (0) | V (0)", "V -> I (1.0) | V", "V I -> V", "V < -> I",
])
def test_bad_production_is_named(rule: str) -> None:
    with pytest.raises(BadInput) as error:
        own(axiom="V", productions=f"I -> I V; {rule}")
    assert rule.split("->")[0].strip() in str(error.value)


def test_rule_of_letters_takes_one_letter() -> None:
    with pytest.raises(BadInput, match="FX"):
        own(axiom="F", productions="FX -> F", interpretation="turtle")


def test_growth_is_stopped_at_once() -> None:
    model = own(axiom="I", productions="I -> I I I I I I I I", iterations=100)
    start = time.perf_counter()
    with pytest.raises(BadInput, match=f"{MAX_SYMBOLS} symbols.*fewer iterations"):
        model.generate(bars=4)
    assert time.perf_counter() - start < 2.0


def test_growth_in_one_step_is_stopped() -> None:
    model = own(axiom="I", productions="I -> " + "I " * 40_000)
    with pytest.raises(BadInput, match="grows"):
        model.derive(2)


# the reading


def test_lay_out_takes_stated_lengths_and_cuts_the_last() -> None:
    spans = lay_out(iter(["I", "V:1", "b", "I", "I"]), 2.0, 6.5, small_beats=1.0)
    assert [(s.start_beats, s.beats, s.what) for s in spans] == [
        (0.0, 2.0, "I"), (2.0, 1.0, "V"), (3.0, 1.0, "b"), (4.0, 2.0, "I"), (6.0, 0.5, "I")]


@pytest.mark.parametrize("symbol", ["V:", "V:x", "V:0", "V:-1", ":2", "V:1:2"])
def test_bad_length_is_named(symbol: str) -> None:
    with pytest.raises(BadInput, match=symbol):
        lay_out(iter([symbol]), 1.0, 4.0, small_beats=1.0)


def test_melody_remembers_and_returns() -> None:
    spans = read_melody(iter("nu[hnUn]nrldn"), 1.0, 6.0, degree=0, octave=7)
    assert [tuple(s) for s in spans] == [
        (0.0, 1.0, 0), (1.0, 0.5, 1), (1.5, 0.5, 8), (2.0, 1.0, 1), (4.0, 2.0, 0)]


def test_unmatched_brackets_are_harmless() -> None:
    assert len(read_melody(iter("]n]n["), 1.0, 2.0, degree=0, octave=7)) == 2


def test_turtle_joins_steps_at_one_height() -> None:
    # two steps right, one up, one right, down by turning twice
    spans = read_turtle(iter("FF+F-F-F+F"), 0.5, 2.0, degree=0, turn=1)
    assert [tuple(s) for s in spans] == [(0.0, 1.0, 0), (1.0, 0.5, 1), (1.5, 0.5, 0)]
    mirrored = read_turtle(iter("FF+F-F-F+F"), 0.5, 2.0, degree=0, turn=-1)
    assert [s.what for s in mirrored] == [0, -1, 0]


def test_fold_stays_in_range_and_moves_by_steps() -> None:
    folded = [fold(degree) for degree in range(-200, 200)]
    assert min(folded) == -7 and max(folded) == 9
    assert {abs(a - b) for a, b in itertools.pairwise(folded)} == {1}
    assert [fold(degree) for degree in range(-7, 10)] == list(range(-7, 10))


def test_chords_are_numerals_or_names() -> None:
    key = Key.parse("G")
    assert str(read_chord("V", key)) == "D"
    assert str(read_chord("I7", key)) == "G7"  # as in jazz: dominant
    assert str(read_chord("Imaj7", key)) == "Gmaj7"
    assert str(read_chord("F#m7b5", key)) == "F#m7b5"
    assert str(read_chord("IV", Key.parse("g"), translate=True)) == "Cm"
    assert str(read_chord("IV", Key.parse("g"))) == "C"
    with pytest.raises(BadInput, match="'Qx' is no chord"):
        read_chord("Qx", key)


@pytest.mark.parametrize("quality", CHORDS)
def test_every_chord_can_be_voiced(quality: str) -> None:
    for root in ("C", "F#", "B"):
        for bass in (None, "E", "Bb"):
            chord = Chord(root, quality, bass)
            found = voicings(chord.bass_pitch_class, chord.pitch_classes)
            assert len(found), str(chord)
            assert (found[:, 3] % 12 == chord.bass_pitch_class).all()


def test_voices_stay_in_range_uncrossed_and_complete() -> None:
    rng = np.random.default_rng(0)
    chords = [Chord.parse(name) for name in ["C", "Am", "F", "Dm", "G7", "C", "E7", "Am", "Bdim", "C/G", "G", "C"]]
    pitches = voice(chords, rng)
    for chord, four in zip(chords, pitches, strict=True):
        assert {p % 12 for p in four} == set(chord.pitch_classes)
        assert all(low <= p <= high for p, (low, high) in zip(four, VOICE_RANGES, strict=True))
        assert (np.diff(four) < 0).all()


def test_no_parallel_fifths_or_octaves_in_the_cadences() -> None:
    model = Grammar()
    for seed in range(20):
        score = model.generate(bars=8, seed=seed)
        four = np.array([[note.pitch for note in track.notes] for track in score.tracks]).T
        for a, b in itertools.pairwise(four):
            for high in range(4):
                for low in range(high + 1, 4):
                    same = (a[high] - a[low]) % 12 == (b[high] - b[low]) % 12
                    assert not (same and (a[high] - a[low]) % 12 in (0, 7) and a[low] != b[low])


# the model


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("asked", [1, 2, 7, 12, 33])
def test_every_example_fills_the_bars_exactly(example: str, asked: int) -> None:
    score = cp.create("grammar", example=example).generate(bars=asked, seed=asked)
    assert length_beats(score) == pytest.approx(4.0 * asked, abs=1e-4)
    assert bars(score)[-1].index == asked
    assert all(24 <= pitch <= 100 and duration > 0 for _, duration, pitch in notes_of(score))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_follows_the_seed(example: str) -> None:
    model = cp.create("grammar", example=example)
    pieces = [notes_of(model.generate(bars=8, seed=seed)) for seed in range(12)]
    assert pieces[3] == notes_of(model.generate(bars=8, seed=3))
    assert len({str(piece) for piece in pieces}) >= 8


@pytest.mark.parametrize(("key", "tonic"), [("C", "C"), ("Bb", "Bb"), ("f#", "F#m"), ("G minor", "Gm")])
def test_cadences_end_on_dominant_and_tonic(key: str, tonic: str) -> None:
    for seed in range(5):
        score = Grammar().generate(bars=4, seed=seed, key=key)
        last = [[note.pitch for track in score.tracks for note in track.notes if note.time <= t < note.end]
                for t in (11.9, 15.9)]
        tonality = Key.parse(key)
        assert str(chord_name(last[1], tonality)) == tonic
        dominant = chord_name(last[0], tonality)
        assert dominant is not None
        assert dominant.pitch_classes[0] == (tonality.tonic_pitch_class + 7) % 12
        assert dominant.quality in ("", "7")


def test_open_ending_is_not_forced_to_the_tonic() -> None:
    model = own(axiom="I IV", productions="", iterations=0, ending="open", beats_per_symbol=4.0)
    score = model.generate(bars=2)
    assert {note.pitch % 12 for track in score.tracks for note in list(track.notes)[-1:]} == {5, 9, 0}


def test_melodies_end_on_a_tonic_and_stay_in_the_scale() -> None:
    for example in ("hilbert", "branches"):
        score = cp.create("grammar", example=example, key="Eb").generate(bars=8, seed=5)
        pitches = [note.pitch for note in score.tracks[0].notes]
        assert {pitch % 12 for pitch in pitches} <= set(Key.parse("Eb").scale)
        assert pitches[-1] % 12 == 3 and score.tracks[0].notes[-1].duration >= 1.0


def test_scale_setting() -> None:
    score = cp.create("grammar", example="hilbert", scale="whole tone").generate(bars=8, seed=2)
    assert {note.pitch % 12 for note in score.tracks[0].notes} <= {0, 2, 4, 6, 8, 10}


def test_block_texture_is_one_track_with_the_same_notes() -> None:
    four = cp.create("grammar").generate(bars=4, seed=3)
    block = cp.create("grammar", texture="block").generate(bars=4, seed=3)
    assert len(block.tracks) == 1 and sorted(notes_of(block)) == sorted(notes_of(four))


def test_waltz_and_tempo() -> None:
    score = cp.create("grammar", numerator=3, tempo_bpm=150).generate(bars=5)
    assert length_beats(score) == pytest.approx(15.0)
    assert tempo_bpm(score) == pytest.approx(150, abs=0.01)


def test_prompt_is_kept_and_gives_meter_tempo_and_key() -> None:
    prompt = new_score(tempo_bpm=72, numerator=3)
    prompt.tracks.append(Track("Flute"))
    prompt.tracks[0].notes.extend([Note(i, 1, pitch, 70) for i, pitch in enumerate((67, 71, 74, 74, 66, 67))])
    before = notes_of(prompt)
    score = Grammar().generate(bars=6, seed=1, prompt=prompt)
    assert notes_of(prompt) == before
    assert [note for note in notes_of(score) if note[0] < 6] == before
    assert bars(score)[-1].index == 6 and length_beats(score) == pytest.approx(18)
    assert tempo_bpm(score) == pytest.approx(72, abs=0.01)
    assert {pitch % 12 for _, _, pitch in notes_of(score)[-4:]} <= {7, 11, 2}  # ends in G major


def test_prompt_with_a_pickup_counts_full_bars() -> None:
    prompt = new_score()
    prompt.tracks.append(Track("Flute"))
    prompt.tracks[0].notes.extend([Note(0, 1, 67, 70), Note(1, 4, 72, 70)])
    score = Grammar().generate(bars=3, prompt=set_pickup(prompt, 1.0))
    assert bars(score)[-1].index == 3 and length_beats(score) == pytest.approx(13.0)


def test_prompt_that_fills_the_bars_is_refused() -> None:
    prompt = Grammar().generate(bars=4)
    with pytest.raises(BadInput, match="the prompt has 4"):
        Grammar().generate(bars=4, prompt=prompt)


def test_empty_and_drum_prompts_work() -> None:
    assert notes_of(Grammar().generate(bars=2, prompt=new_score())) == notes_of(Grammar().generate(bars=2))
    drums = cp.create("grammar", example="fibonacci").generate(bars=1)
    assert bars(Grammar().generate(bars=3, prompt=drums))[-1].index == 3


@pytest.mark.parametrize("wrong", [
    {"bars": 0}, {"bars": -3}, {"bars": MAX_BARS + 1}, {"temperature": 0.0}, {"temperature": float("nan")},
    {"temperature": -1.0}, {"key": "H major"},
])
def test_wrong_arguments_are_named(wrong: dict[str, object]) -> None:
    name, value = next(iter(wrong.items()))
    with pytest.raises(BadInput, match=str(value).split()[0].replace("-", r"\-")):
        Grammar().generate(**wrong)
    assert name


@pytest.mark.parametrize("wrong", [
    {"example": "jazz"}, {"interpretation": "dance"}, {"texture": "fugue"}, {"scale": "x"}, {"ending": "x"},
    {"iterations": -1}, {"iterations": 101}, {"beats_per_symbol": 0.0}, {"beats_per_symbol": -2.0},
    {"tempo_bpm": 0.0}, {"numerator": 0}, {"denominator": 3}, {"key": "H"},
])
def test_wrong_settings_are_refused_at_once(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        Grammar(GrammarConfig(**wrong))


def test_own_grammar_needs_an_axiom() -> None:
    with pytest.raises(BadInput, match="axiom"):
        own(productions="I -> I V")


@pytest.mark.parametrize(("interpretation", "rule"), [("turtle", "X -> +X-"), ("melody", "X -> uXd")])
def test_a_word_that_never_takes_time_is_an_error(interpretation: str, rule: str) -> None:
    model = own(interpretation=interpretation, axiom="X", productions=rule, iterations=1)
    with pytest.raises(BadInput, match="takes time"):
        model.generate(bars=1)


def test_rhythm_of_pauses_is_an_error_and_pauses_are_silent() -> None:
    with pytest.raises(BadInput, match="pauses"):
        own(interpretation="rhythm", axiom=".").generate(bars=1)
    drums = own(interpretation="rhythm", axiom="A .", iterations=0).generate(bars=1).tracks[0]
    assert drums.is_drum and [note.time for note in drums.notes] in ([0.0, 2.0], [1.0, 3.0])


def test_own_chords_with_lengths() -> None:
    model = own(axiom="Am F:2 G:2", iterations=0, beats_per_symbol=4.0, ending="open")
    score = model.generate(bars=2)
    assert [note.duration for note in score.tracks[0].notes] == [4.0, 2.0, 2.0]


def test_cancelling_leaves_through_progress() -> None:
    def stop(_fraction: float, _message: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        Grammar().generate(bars=2, progress=stop)


def test_a_thousand_bars_take_less_than_two_seconds() -> None:
    start = time.perf_counter()
    Grammar().generate(bars=1000)
    assert time.perf_counter() - start < 2.0
