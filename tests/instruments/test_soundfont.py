"""The SoundFont player: pitch, dynamics, releases, controllers; with a font made here and with a real one."""

from __future__ import annotations

import importlib.util
import io
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from symusic import core

from componium.instruments.soundfont import SoundFont, SoundFontConfig, modulation_envelope
from componium.music.errors import BadFile, BadInput, Cancelled
from componium.music.score import Note, Score, Track, new_score
from componium.music.sf2 import open_bank

needs_font = pytest.mark.skipif(importlib.util.find_spec("pretty_midi") is None, reason="needs the extra soundfont")


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def make_font(path: Path, generators: dict[int, int] | None = None, *, vorbis: bool = False,
              rate: int = 22050, kit: bool = True) -> Path:
    """Write a bank with one preset, a looped 441 Hz sine (key 69 less 4 cents), and a drum kit of the same."""
    wave = (0.8 * 32767 * np.sin(2 * np.pi * 441.0 * np.arange(5000) / rate)).astype("<i2")  # a period: 50 samples
    sound, start, end, kind = wave.tobytes(), 0, 5000, 1
    if vorbis:
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, rate, format="OGG", subtype="VORBIS")
        sound, end, kind = buffer.getvalue(), len(buffer.getvalue()), 17
    zone = [*({54: 1} | (generators or {}) | {53: (generators or {}).get(53, 0)}).items()]
    heads = [("sine", 0, 0, 0), *([("kit", 0, 128, 1)] if kit else []), ("EOP", 0, 0, 2 if kit else 1)]
    tables = {
        b"phdr": b"".join(struct.pack("<20sHHHIII", n.encode(), p, b, bag, 0, 0, 0) for n, p, b, bag in heads),
        b"pbag": b"".join(struct.pack("<HH", n, 0) for n in range(3 if kit else 2)),
        b"pmod": bytes(10),
        b"pgen": b"".join(struct.pack("<Hh", 41, 0) for _ in range(2 if kit else 1)) + bytes(4),
        b"inst": struct.pack("<20sH", b"sine", 0) + struct.pack("<20sH", b"EOI", 1),
        b"ibag": struct.pack("<HHHH", 0, 0, len(zone), 0),
        b"imod": bytes(10),
        b"igen": b"".join(struct.pack("<Hh", *pair) for pair in zone) + bytes(4),
        b"shdr": struct.pack("<20sIIIIIBbHH", b"sine", start, end, 1000, 4000, rate, 69, -4, 0, kind) + bytes(46),
    }
    lists = (chunk(b"LIST", b"INFO" + chunk(b"INAM", b"made here\0"))
             + chunk(b"LIST", b"sdta" + chunk(b"smpl", sound))
             + chunk(b"LIST", b"pdta" + b"".join(chunk(name, data) for name, data in tables.items())))
    path.write_bytes(chunk(b"RIFF", b"sfbk" + lists))
    return path


def player(tmp_path: Path, generators: dict[int, int] | None = None, **settings: Any) -> SoundFont:
    font = make_font(tmp_path / "made.sf2", generators)
    return SoundFont(SoundFontConfig(soundfont=str(font), **settings))


def one_note(pitch: int = 69, *, beats: float = 1.0, velocity: int = 100, program: int = 0, drum: bool = False,
             start: float = 0.0) -> Score:
    score = new_score(tempo_bpm=60.0)
    track = Track("Part", program, drum)
    track.notes.append(Note(start, beats, pitch, velocity))
    score.tracks.append(track)
    return score


def chorale(seconds: float = 60.0, program: int = 52) -> Score:
    rng = np.random.default_rng(0)
    score = new_score(tempo_bpm=80.0)
    for name, low in (("Soprano", 62), ("Alto", 57), ("Tenor", 50), ("Bass", 43)):
        track, beat = Track(name, program, False), 0.0
        while beat < seconds * 80 / 60:
            length = float(rng.choice([0.5, 1.0, 1.0, 2.0]))
            track.notes.append(Note(beat, length, int(low + rng.integers(0, 14)), int(rng.integers(70, 100))))
            beat += length
        score.tracks.append(track)
    return score


def pitch_hz(wave: np.ndarray, rate: int) -> float:
    """Return the frequency of the strongest partial, to a fraction of a bin."""
    size = 1 << 19
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), size))
    return float(np.argmax(spectrum) * rate / size)


@pytest.mark.parametrize("pitch", [45, 57, 69, 70, 81, 90])
@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_every_key_is_in_tune_at_every_rate(tmp_path: Path, pitch: int, rate: int) -> None:
    sound = player(tmp_path, sample_rate_hz=rate).play(one_note(pitch, beats=2.0))
    assert sound.sample_rate_hz == rate
    cents = 1200 * np.log2(pitch_hz(sound.samples[0, :2 * rate], rate) / (440.0 * 2 ** ((pitch - 69) / 12)))
    assert abs(cents) < 1.0


@pytest.mark.parametrize(("generators", "cents"), [({51: -2}, -200), ({52: 37}, 37), ({58: 57}, 1200), ({56: 0}, 0)])
def test_tuning_generators_are_kept(tmp_path: Path, generators: dict[int, int], cents: float) -> None:
    sound = player(tmp_path, generators).play(one_note(69, beats=2.0))
    assert 1200 * np.log2(pitch_hz(sound.samples[0, :88200], 44100) / 440.0) == pytest.approx(cents, abs=1.0)


def test_a_looped_note_is_a_clean_sine_for_as_long_as_it_is_held(tmp_path: Path) -> None:
    sound = player(tmp_path).play(one_note(69, beats=10.0))
    wave = sound.samples[0, 44100:9 * 44100]
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    peak = int(np.argmax(spectrum))
    inside = spectrum[peak - 8:peak + 9].sum()
    assert 10 * np.log10((spectrum.sum() - inside) / inside) < -55


def rms_db(wave: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(wave.astype(np.float64) ** 2)) + 1e-9))


def test_a_filter_that_opens_at_once_does_not_dull_the_attack(tmp_path: Path) -> None:
    wave = player(tmp_path, {8: 8000, 11: 4000}).play(one_note(100, beats=1.0)).samples[0]  # 830 Hz, opened to 8.4 kHz
    assert rms_db(wave[200:512]) == pytest.approx(rms_db(wave[5000:20000]), abs=1.0)


def test_the_attack_of_the_modulation_envelope_is_convex(tmp_path: Path) -> None:
    values = open_bank(make_font(tmp_path / "made.sf2", {26: 0})).regions(0, 0)[0].values  # an attack of one second
    told = modulation_envelope(values, 60, np.array([0.0, 0.001, 0.1, 0.5, 1.0, 2.0]))
    assert told == pytest.approx([0.0, 0.0, 1 - 400 / 960, 1 - 400 / 960 * np.log10(2), 1.0, 1.0], abs=1e-3)


def test_a_tremolo_begins_by_getting_louder(tmp_path: Path) -> None:
    wave = player(tmp_path, {13: 60, 22: -3637}).play(one_note(beats=1.0)).samples[0]  # 6 dB up and down, 1 Hz
    louder, softer = (rms_db(wave[int((at - 0.01) * 44100):int((at + 0.01) * 44100)]) for at in (0.25, 0.75))
    assert louder - softer == pytest.approx(12.0, abs=0.6)


def test_a_sample_ends_where_its_region_says(tmp_path: Path) -> None:
    wave = player(tmp_path, {54: 0, 1: -4000}).play(one_note(beats=1.0)).samples[0]  # 1000 of 5000 samples at 22050 Hz
    assert rms_db(wave[400:1800]) > -40
    assert not wave[2300:].any()


def test_zones_take_over_their_global_zone_and_presets_add_to_instruments(tmp_path: Path) -> None:
    bank = open_bank(make_font(tmp_path / "made.sf2", {48: 100}))
    pairs = np.array([(48, 50), (48, 30), (52, 7), (41, 0), (41, 0), (0, 0)], bank._tables[b"pgen"].dtype)
    bags = np.array([(0, 0), (1, 0), (4, 0), (5, 0)], bank._tables[b"pbag"].dtype)  # [50] is global; [30, 7]; kit
    heads = bank._tables[b"phdr"].copy()
    heads["bag"] = [0, 2, 3]
    bank._tables |= {b"pgen": pairs, b"pbag": bags, b"phdr": heads}
    region = bank.regions(0, 0)[0]
    assert (region.values["attenuation"], region.values["fine_tune"]) == (130, 7)  # 100 + 30: 50 is overruled
    pairs[1] = (51, 1)
    bank.regions.cache_clear()
    assert bank.regions(0, 0)[0].values["attenuation"] == 150  # 100 + 50 from the global zone


def test_velocity_is_loudness(tmp_path: Path) -> None:
    levels = [player(tmp_path).play(one_note(velocity=v)).peak_db for v in (127, 64, 32)]
    assert levels[0] - levels[1] == pytest.approx(40 * np.log10(127 / 64), abs=0.05)
    assert levels[1] - levels[2] == pytest.approx(40 * np.log10(2), abs=0.05)


def test_release_is_kept_and_falls_as_the_font_says(tmp_path: Path) -> None:
    # release of 1200 timecents = 2 s for 100 dB
    sound = player(tmp_path, {38: 1200}).play(one_note())
    assert sound.seconds == pytest.approx(1.0 + 2.0 * 0.8, abs=0.05)
    levels = [20 * np.log10(np.abs(sound.samples[0, round(t * 44100):round((t + 0.05) * 44100)]).max())
              for t in (0.9, 1.0, 1.5, 2.0)]
    assert levels[0] - levels[1] == pytest.approx(0.0, abs=0.1)
    assert levels[1] - levels[2] == pytest.approx(25.0, abs=0.2)
    assert levels[2] - levels[3] == pytest.approx(25.0, abs=0.2)


def test_tail_can_be_limited(tmp_path: Path) -> None:
    assert player(tmp_path, {38: 1200}, tail_seconds=0.5).play(one_note()).seconds == pytest.approx(1.5, abs=0.01)
    assert player(tmp_path, {38: 1200}, tail_seconds=0.0).play(one_note()).seconds == pytest.approx(1.0, abs=0.01)


def test_envelope_attack_decay_sustain(tmp_path: Path) -> None:
    # attack 1 s; decay 1 s for 100 dB; sustain 20 dB down
    wave = player(tmp_path, {34: 0, 36: 0, 37: 200}).play(one_note(beats=3.0)).samples[0]
    level = [np.abs(wave[round(t * 44100):round(t * 44100) + 441]).max() for t in (0.25, 0.5, 1.0, 1.1, 2.0, 2.9)]
    assert level[0] / level[2] == pytest.approx(0.26, abs=0.02)
    assert level[1] / level[2] == pytest.approx(0.51, abs=0.02)
    assert 20 * np.log10(level[2] / level[3]) == pytest.approx(10.0, abs=0.6)
    assert 20 * np.log10(level[2] / level[4]) == pytest.approx(20.0, abs=0.6)
    assert level[4] == pytest.approx(level[5], rel=0.02)


def test_filter_and_attenuation(tmp_path: Path) -> None:
    plain = player(tmp_path).play(one_note()).peak_db
    assert player(tmp_path, {48: 100}).play(one_note()).peak_db == pytest.approx(plain - 4.0, abs=0.05)
    # a low-pass of second order an octave below the note (57: 220 Hz is 5700 cents above 8.176 Hz)
    low = player(tmp_path, {8: 5700}).play(one_note(beats=2.0))
    middle = 20 * np.log10(np.abs(low.samples[0, 22050:44100]).max())
    assert plain - middle == pytest.approx(10 * np.log10(1 + 2 ** 4), abs=0.5)


def test_sides_and_pan_controller(tmp_path: Path) -> None:
    left, right = player(tmp_path, {17: -500}).play(one_note()).samples
    assert np.abs(left).max() > 0.1 and np.abs(right).max() < 1e-6
    score = one_note()
    score.tracks[0].controls.append(core.ControlChangeQuarter(0.0, 10, 127))
    left, right = player(tmp_path).play(score).samples
    assert np.abs(left).max() < 0.05 * np.abs(right).max()


def test_volume_controller_pedal_and_bend(tmp_path: Path) -> None:
    plain = player(tmp_path).play(one_note())
    score = one_note()
    score.tracks[0].controls.append(core.ControlChangeQuarter(0.0, 7, 64))
    assert plain.peak_db - player(tmp_path).play(score).peak_db == pytest.approx(40 * np.log10(127 / 64), abs=0.2)
    score = one_note()
    score.tracks[0].pedals.append(core.PedalQuarter(0.5, 2.5))
    assert player(tmp_path).play(score).seconds - plain.seconds == pytest.approx(2.0, abs=0.02)
    score = one_note(beats=2.0)
    score.tracks[0].pitch_bends.append(core.PitchBendQuarter(0.0, 4096))
    bent = pitch_hz(player(tmp_path).play(score).samples[0, 4410:80000], 44100)
    assert 1200 * np.log2(bent / 440.0) == pytest.approx(100.0, abs=1.0)


def test_onsets_fall_on_their_sample_through_a_tempo_change(tmp_path: Path) -> None:
    score = one_note(start=2.0)
    score.tempos.append(core.TempoQuarter(1.0, qpm=120.0))
    wave = player(tmp_path).play(score).samples[0]
    assert np.flatnonzero(np.abs(wave) > 1e-4)[0] == pytest.approx(1.5 * 44100, abs=30)


def test_compressed_samples_play_like_plain_ones(tmp_path: Path) -> None:
    font = make_font(tmp_path / "made.sf3", vorbis=True)
    sound = SoundFont(SoundFontConfig(soundfont=str(font))).play(one_note(beats=2.0))
    assert pitch_hz(sound.samples[0, :88200], 44100) == pytest.approx(440.0, abs=0.5)
    assert sound.peak_db == pytest.approx(player(tmp_path).play(one_note()).peak_db, abs=0.5)


def test_missing_programs_and_drum_kits_have_a_stand_in(tmp_path: Path) -> None:
    assert player(tmp_path).play(one_note(program=77)).peak_db > -30
    assert player(tmp_path).play(one_note(38, program=25, drum=True)).peak_db > -30
    font = make_font(tmp_path / "small.sf2", kit=False)
    assert open_bank(font).nearest(128, 0) == (0, 0)


def test_damaged_fonts_say_so(tmp_path: Path) -> None:
    whole = make_font(tmp_path / "made.sf2").read_bytes()
    (tmp_path / "cut.sf2").write_bytes(whole[:6000])
    (tmp_path / "hollow.sf2").write_bytes(whole.replace(b"shdr", b"xxxx"))
    with pytest.raises(BadFile, match="cut off"):
        open_bank(tmp_path / "cut.sf2")
    with pytest.raises(BadFile, match="shdr"):
        open_bank(tmp_path / "hollow.sf2")
    font = make_font(tmp_path / "nowhere.sf2", {53: 7})
    with pytest.raises(BadFile, match="no sample 7"):
        SoundFont(SoundFontConfig(soundfont=str(font))).play(one_note())
    font = make_font(tmp_path / "far.sf2", {0: 32000, 4: 3})  # a region that starts after its sample is silent
    assert not SoundFont(SoundFontConfig(soundfont=str(font))).play(one_note()).samples.any()


def test_settings_outside_their_range_are_refused() -> None:
    for settings in ({"program": 128}, {"program": "violn"}, {"sample_rate_hz": 100}, {"tail_seconds": -1.0}):
        with pytest.raises(BadInput):
            SoundFont(SoundFontConfig(**settings))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="violin"):
        SoundFont(SoundFontConfig(program="violn"))


def test_scores_that_cannot_be_played_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no notes"):
        player(tmp_path).play(new_score())
    with pytest.raises(BadInput, match="hours"):
        player(tmp_path).play(one_note(start=100000.0))


def test_a_note_of_no_length_and_one_of_no_velocity(tmp_path: Path) -> None:
    assert np.isfinite(player(tmp_path).play(one_note(beats=0.0)).samples).all()
    assert not player(tmp_path).play(one_note(velocity=0)).samples.any()


def test_progress_is_told_and_can_cancel(tmp_path: Path) -> None:
    told: list[float] = []
    player(tmp_path).play(chorale(2.0), progress=lambda fraction, _text="": told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0

    def stop(_fraction: float, _text: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        player(tmp_path).play(one_note(), progress=stop)


def test_it_has_no_state() -> None:
    model = SoundFont(SoundFontConfig())
    assert model.state() == ({}, {})
    model.load_state({}, {})
    with pytest.raises(BadInput):
        model.load_state({}, {"a": 1})


@needs_font
@pytest.mark.parametrize(("program", "pitch"), [("flute", 72), ("violin", 69), ("cello", 48), ("acoustic bass", 36),
                                                ("clarinet", 60), ("church organ", 60), ("piano", 60)])
def test_the_instruments_of_the_font_are_in_tune(program: str, pitch: int) -> None:
    score = one_note(pitch, beats=2.0)
    wave = SoundFont(SoundFontConfig(program=program)).play(score).samples.sum(axis=0)[4410:88200]
    expected = 440.0 * 2 ** ((pitch - 69) / 12)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 19))
    hz = np.arange(len(spectrum)) * 44100 / (1 << 19)
    # the strongest partial is a whole multiple of the fundamental, or half of it (organ stops an octave below)
    ratio = hz[np.argmax(spectrum)] / expected * 2
    assert 1200 * abs(np.log2(ratio / round(ratio))) < 12


@needs_font
def test_same_score_same_sound_and_piano_dies_away() -> None:
    model = SoundFont(SoundFontConfig())
    first, second = model.play(one_note(beats=3.0)), model.play(one_note(beats=3.0))
    np.testing.assert_array_equal(first.samples, second.samples)
    early, late = (np.abs(first.samples[:, at:at + 4410]).max() for at in (4410, 2 * 44100))
    assert 0.001 < late / early < 0.5


@needs_font
def test_a_chorale_is_stereo_unclipped_and_far_faster_than_real_time() -> None:
    model, score = SoundFont(SoundFontConfig()), chorale()
    model.play(chorale(2.0))
    started = time.process_time()
    sound = model.play(score)
    spent = time.process_time() - started
    assert sound.channels == 2 and -30 < sound.peak_db < 0
    assert sound.seconds / spent > 40  # over 200 on an idle machine; room for a busy one
