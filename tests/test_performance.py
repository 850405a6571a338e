"""Performing: who plays what, how loud, where, and what is written."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from componium import registry
from componium.interface import Progress, silent
from componium.music.audio import Audio
from componium.music.errors import BadInput
from componium.music.score import Note, Score, Track, new_score
from componium.performance import cast, parse_with, parts_of, perform

needs_font = pytest.mark.skipif(importlib.util.find_spec("pretty_midi") is None, reason="needs the extra soundfont")


class Tone:
    """An instrument that plays sines, half a second longer than written."""

    def __init__(self, level: float = 0.1, rate: int = 44100, seed_gain: bool = False) -> None:
        self.level, self.rate, self.heard = level, rate, []  # type: ignore[var-annotated]

    def play(self, score: Score, *, progress: Progress = silent) -> Audio:
        self.heard.append([track.name for track in score.tracks])
        timed: Any = score.to("second")
        end = max(note.end for track in timed.tracks for note in track.notes) + 0.5
        wave = np.zeros(round(end * self.rate))
        for note in (note for track in timed.tracks for note in track.notes):
            first, last = round(note.time * self.rate), round(note.end * self.rate)
            hz = 440.0 * 2 ** ((note.pitch - 69) / 12)
            wave[first:last] += self.level * np.sin(2 * np.pi * hz * np.arange(last - first) / self.rate)
        progress(1.0, "played")
        return Audio(wave.astype(np.float32), self.rate)


class Chance:
    """An instrument that uses its seed."""

    def play(self, score: Score, *, seed: int = 0, progress: Progress = silent) -> Audio:
        return Audio(np.random.default_rng(seed).normal(0, 0.1, (1, 44100)).astype(np.float32), 44100)


def chorale(beats: int = 8) -> Score:
    score = new_score(tempo_bpm=120.0)
    score.tracks.append(Track("Conductor", 0, False))
    for name, pitch, program in (("Soprano", 81, 40), ("Alto", 69, 41), ("Tenor", 62, 42), ("Bass", 45, 43)):
        track = Track(name, program, False)
        for beat in range(beats):
            track.notes.append(Note(float(beat), 1.0, pitch, 80))
        score.tracks.append(track)
    return score


def level(audio: Audio, hz: float) -> float:
    """Return the largest amplitude near a frequency, over both channels."""
    spectrum = np.abs(np.fft.rfft(audio.samples, axis=1)) / audio.sample_count * 2
    at = round(hz * audio.seconds)
    return float(spectrum[:, at - 8:at + 9].max())


HZ = {"Soprano": 880.0, "Alto": 440.0, "Tenor": 293.66, "Bass": 110.0}


def test_all_parts_sound_at_the_loudness_asked_for_below_the_ceiling() -> None:
    sound = perform(chorale(), Tone(), lufs=-18.0)
    assert sound.channels == 2 and sound.sample_rate_hz == 44100
    assert sound.loudness_lufs == pytest.approx(-18.0, abs=0.1)
    assert sound.peak_db <= -1.0
    assert all(level(sound, hz) > 0.005 for hz in HZ.values())


def test_a_loud_mix_is_limited_not_clipped() -> None:
    sound = perform(chorale(), Tone(0.9), lufs=-3.0)
    assert sound.peak_db <= -1.0 + 1e-4
    assert np.mean(np.abs(sound.samples) > 0.89) < 0.05


def test_without_normalisation_the_level_stays_unless_it_would_clip() -> None:
    quiet = perform(chorale(), Tone(0.01), lufs=None, expression=False)
    assert quiet.peak_db == pytest.approx(20 * np.log10(4 * 0.01 / np.sqrt(2)), abs=1.5)
    assert perform(chorale(), Tone(2.0), lufs=None).peak_db == pytest.approx(-1.0, abs=1e-3)


def test_each_part_is_played_alone_by_its_own_instrument() -> None:
    first, second, third, rest = Tone(), Tone(), Tone(), Tone()
    perform(chorale(), {"SOPRANO": first, 1: second, "program:42": third, "*": rest})
    assert [player.heard for player in (first, second, third, rest)] == [[["Soprano"]], [["Alto"]], [["Tenor"]],
                                                                        [["Bass"]]]


def test_a_name_goes_before_a_number_before_a_program_before_the_rest() -> None:
    by_name, by_number, by_program, rest = Tone(), Tone(), Tone(), Tone()
    perform(chorale(), {"*": rest, "program:40": by_program, "0": by_number, "soprano": by_name})
    assert by_name.heard and not by_number.heard and not by_program.heard and len(rest.heard) == 3
    by_number.heard.clear()
    perform(chorale(), {"*": rest, "program:40": by_program, "0": by_number})
    assert by_number.heard and not by_program.heard


def test_unknown_parts_and_parts_without_instrument_are_named() -> None:
    with pytest.raises(BadInput, match=r"Sopranino.*0 Soprano.*3 Bass"):
        perform(chorale(), {"Sopranino": Tone(), "*": Tone()})
    with pytest.raises(BadInput, match="1 Alto"):
        perform(chorale(), {"Soprano": Tone()})
    with pytest.raises(BadInput, match="has no part 'Flute'"):
        perform(chorale(), Tone(), gains_db={"Flute": 3.0})
    with pytest.raises(BadInput, match="2 values for 4 parts"):
        perform(chorale(), Tone(), pans=[0.0, 1.0])
    with pytest.raises(BadInput, match="cannot play"):
        perform(chorale(), {"*": 3})  # type: ignore[dict-item]
    with pytest.raises(BadInput, match="no notes"):
        perform(new_score(), Tone())


@pytest.mark.parametrize("wrong", [{"lufs": 3.0}, {"pans": {"Alto": 2.0}}, {"pans": "wide"}, {"tail_seconds": -1.0},
                                   {"gains_db": {"Alto": 99.0}}, {"gains_db": [0.0, float("nan"), 0.0, 0.0]}])
def test_amounts_outside_their_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        perform(chorale(), Tone(), **wrong)


def test_gains_change_the_balance() -> None:
    plain = perform(chorale(), Tone(), expression=False)
    lower = perform(chorale(), Tone(), gains_db={"bass": -12.0}, expression=False)
    change = 20 * np.log10((level(lower, 110.0) / level(lower, 440.0)) / (level(plain, 110.0) / level(plain, 440.0)))
    assert change == pytest.approx(-12.0, abs=0.3)


def test_pans_place_the_parts() -> None:
    sound = perform(chorale(), Tone(), pans={"Soprano": -1.0, "Bass": 1.0}, expression=False)
    left, right = (Audio(side, 44100) for side in sound.samples)
    assert level(left, 880.0) > 100 * level(right, 880.0)
    assert level(right, 110.0) > 100 * level(left, 110.0)
    assert level(left, 440.0) == pytest.approx(level(right, 440.0), rel=1e-3)
    spread = perform(chorale(), Tone(), pans="spread", expression=False)
    ratios = [np.divide(*[level(Audio(side, 44100), hz) for side in spread.samples]) for hz in HZ.values()]
    assert ratios == sorted(ratios, reverse=True) and ratios[0] > 1.5


def test_the_tail_is_kept_and_can_be_shortened() -> None:
    assert perform(chorale(), Tone(), expression=False).seconds == pytest.approx(4.5, abs=0.01)
    assert perform(chorale(), Tone(), expression=False, tail_seconds=0.2).seconds == pytest.approx(4.2, abs=0.01)


def test_instruments_of_other_rates_play_in_tune_and_in_time() -> None:
    sound = perform(chorale(), {"Alto": Tone(rate=22050), "*": Tone()}, sample_rate_hz=48000, expression=False)
    assert sound.sample_rate_hz == 48000 and sound.seconds == pytest.approx(4.5, abs=0.01)
    spectrum = np.abs(np.fft.rfft(sound.samples[0]))
    low, high = round(420 * sound.seconds), round(460 * sound.seconds)
    assert (low + np.argmax(spectrum[low:high])) / sound.seconds == pytest.approx(440.0, abs=0.5)


@pytest.mark.parametrize(("loudness", "amplitude"), [(-16.0, 0.1), (-4.0, 0.9), (None, 0.01)])
def test_stems_are_aligned_24_bit_files_that_add_up_to_the_mix(tmp_path: Path, loudness: float | None,
                                                              amplitude: float) -> None:
    sound = perform(chorale(), Tone(amplitude), lufs=loudness, gains_db={"Alto": -6.0}, pans="spread",
                    stems_to=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["01_soprano.wav", "02_alto.wav", "03_tenor.wav", "04_bass.wav", "mix.wav"]
    stems = [Audio.read(tmp_path / name) for name in names]
    assert {stem.samples.shape for stem in stems} == {sound.samples.shape}
    assert (tmp_path / "mix.wav").stat().st_size == pytest.approx(sound.samples.size * 3, abs=600)
    total = np.sum([stem.samples for stem in stems[:4]], axis=0)
    assert np.max(np.abs(total - stems[4].samples)) < 2e-6
    assert np.max(np.abs(stems[4].samples - sound.samples)) < 1e-6


def test_stems_of_strangely_named_parts(tmp_path: Path) -> None:
    score = chorale(2)
    for track, name in zip(list(score.tracks)[1:], ("Ténor / 合唱", "../../etc", "", "Bass"), strict=True):
        track.name = name
    perform(score, Tone(), stems_to=tmp_path / "new")
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["01_ténor_合唱.wav", "02_etc.wav", "03_part_3.wav", "04_bass.wav", "mix.wav"]
    assert [part.name for part in parts_of(score)][2] == "part 3"


def test_parts_that_cancel_do_not_clip_their_stems(tmp_path: Path) -> None:
    score = chorale(4)
    score.tracks = type(score.tracks)(list(score.tracks)[1:3])
    for track in score.tracks:
        for note in track.notes:
            note.pitch = 69
    perform(score, {0: Tone(0.9), 1: Tone(-0.89)}, stems_to=tmp_path, expression=False)
    assert Audio.read(tmp_path / "01_soprano.wav").peak_db <= 1e-3


def test_seed_reaches_instruments_and_expression() -> None:
    def same(player: Any, seeds: tuple[int, int], expression: bool) -> bool:
        first, second = (perform(chorale(), player, seed=seed, expression=expression) for seed in seeds)
        return np.array_equal(first.samples, second.samples)

    assert same(Chance(), (1, 1), True) and not same(Chance(), (1, 2), False)
    assert not same(Tone(), (1, 2), True) and same(Tone(), (1, 2), False)


def test_progress_rises_to_one_and_the_score_is_untouched() -> None:
    score, told = chorale(), []
    before = score.copy()
    perform(score, Tone(), progress=lambda fraction, text="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0 and score == before


def test_silent_instruments_give_silence() -> None:
    assert not perform(chorale(), Tone(0.0)).samples.any()


def test_choices_of_the_command_line() -> None:
    found = parse_with(["soprano=oboe", "1=tenor-sax", "*=soundfont"])
    assert {key: model.config.program for key, model in found.items()} == {"soprano": 68, "1": 66, "*": -1}
    assert list(parse_with(["viola"])) == ["*"]
    for wrong, said in ((["soprano="], "PART=MODEL"), (["=oboe"], "PART=MODEL"),
                        (["a=viola", "A=oboe"], "two instruments"), (["oboee"], "oboe"),
                        (["grammar"], "does not play")):
        with pytest.raises(BadInput, match=said):
            parse_with(wrong)


def test_without_torch_a_shipped_instrument_is_left_to_general_midi(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "violin" in registry.shipped()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    players = cast(["violin"], {})
    assert players.instruments["*"].config.program == 40  # type: ignore[attr-defined]
    assert "componium[neural]" in players.remarks[0]


def test_a_folder_that_is_no_model_does_not_hide_an_instrument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "viola").mkdir()  # such as a folder of recordings
    monkeypatch.chdir(tmp_path)
    assert parse_with(["viola"])["*"].config.program == 41  # type: ignore[attr-defined]


@needs_font
def test_a_chorale_with_four_instruments_is_music() -> None:
    sound = perform(chorale(), parse_with(["soprano=english horn", "alto=oboe", "tenor=clarinet", "bass=bassoon"]))
    assert sound.loudness_lufs == pytest.approx(-16.0, abs=0.2) and sound.peak_db <= -1.0
    assert all(level(sound, hz) > 0.0005 for hz in HZ.values())
