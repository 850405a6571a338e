"""Pictures: they are written, they show what is there, and they refuse what cannot be drawn."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from componium.music.audio import Audio, silence
from componium.music.errors import BadFile, BadInput
from componium.music.picture import COLOURS, log_mel, mel_bank, piano_roll, spectrogram, waveform
from componium.music.score import FERMATA, PHRASE_END, Note, Score, TextMeta, Track, new_score


def chorale(notes: int = 16) -> Score:
    score = new_score()
    for name, pitch in (("Soprano", 72), ("Alto", 65), ("Tenor $x_1$", 60), ("_Bass", 46)):
        track = Track(name, 52, False)
        for beat in range(notes):
            track.notes.append(Note(float(beat), 1.0, pitch + beat % 5, 80))
        score.tracks.append(track)
    score.markers.append(TextMeta(7.0, FERMATA))
    score.markers.append(TextMeta(8.0, PHRASE_END))
    return score


def tone(hz: float, seconds: float = 1.0, rate: int = 44100, channels: int = 1) -> Audio:
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return Audio(np.tile(wave.astype(np.float32), (channels, 1)), rate)


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])  # type: ignore[return-value]


def pixels(png: bytes) -> np.ndarray:
    import io

    from matplotlib.image import imread

    return np.asarray(imread(io.BytesIO(png)))[..., :3]


def has_colour(png: bytes, colour: str) -> bool:
    wanted = np.array([int(colour[n:n + 2], 16) / 255 for n in (1, 3, 5)])
    return bool((np.abs(pixels(png) - wanted).max(axis=2) < 0.02).any())


def test_piano_roll_shows_every_part_in_its_colour(tmp_path: Path) -> None:
    png = piano_roll(chorale(), tmp_path / "合唱.png", title="Chorale $1 合唱")
    assert (tmp_path / "合唱.png").read_bytes() == png
    width, height = size_of(png)
    assert width > 800 and height > 300
    assert all(has_colour(png, colour) for colour in COLOURS[:4])
    assert not has_colour(png, COLOURS[4])


def test_svg_names_parts_pitches_and_bars_and_is_the_same_twice(tmp_path: Path) -> None:
    svg = piano_roll(chorale(), tmp_path / "roll.svg", title="A title")
    assert ET.fromstring(svg).tag.endswith("svg")
    for text in (b"A title", b"Soprano", b"C4", b"<!-- bar -->"):
        assert text in svg
    assert piano_roll(chorale(), kind=".svg") == piano_roll(chorale(), kind=".svg")


def test_marks_change_the_picture() -> None:
    plain = chorale()
    plain.markers.clear()
    assert piano_roll(plain) != piano_roll(chorale())


@pytest.mark.parametrize("notes", [1, 2000])
def test_piano_roll_of_one_note_and_of_many(notes: int) -> None:
    assert size_of(piano_roll(chorale(notes)))[0] <= 2600


def test_waveform_and_spectrogram_are_drawn(tmp_path: Path) -> None:
    for draw in (waveform, spectrogram):
        assert size_of(draw(tone(440.0, channels=2), tmp_path / "new" / "a.png", title="A 440"))[0] > 800
        assert size_of(draw(tone(440.0, seconds=0.001)))[0] > 800
        assert size_of(draw(silence(0.5)))[0] > 800


def test_nothing_to_draw_and_wrong_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no notes"):
        piano_roll(new_score())
    for draw in (waveform, spectrogram):
        with pytest.raises(BadInput, match="no sound"):
            draw(silence(0.0))
    for name in ("a.jpg", "a"):
        with pytest.raises(BadFile, match=r"\.png or \.svg"):
            piano_roll(chorale(4), tmp_path / name)
    (tmp_path / "b.png").mkdir()
    with pytest.raises(BadFile, match="folder"):
        piano_roll(chorale(4), tmp_path / "b.png")
    assert [p.name for p in tmp_path.iterdir()] == ["b.png"]


@pytest.mark.parametrize("hz", [110.0, 440.0, 3000.0, 12000.0])
def test_a_tone_is_loudest_in_its_band(hz: float) -> None:
    levels, centres, seconds = log_mel(tone(hz))
    assert centres[np.argmax(levels.mean(axis=1))] == pytest.approx(hz, rel=0.06, abs=25)
    assert levels.max() == 0.0 and levels.min() >= -80.0
    assert levels.shape[1] * seconds == pytest.approx(1.0, abs=0.05)


def test_long_sounds_take_longer_steps() -> None:
    levels, _, _ = log_mel(tone(440.0, seconds=60.0, rate=8000))
    assert levels.shape[1] <= 2000


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
def test_every_band_hears_something(rate: int) -> None:
    weights, centres = mel_bank(128, 4096, rate)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (np.diff(centres) > 0).all() and centres[-1] < rate / 2
