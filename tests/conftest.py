"""Music that tests share, made here: nothing is read from disk, and nothing is random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from componium.music.audio import Audio
from componium.music.item import Item, hash_of_score
from componium.music.score import FERMATA, PHRASE_END, VOICE_NAMES, Note, Score, TextMeta, Track, new_score
from componium.music.theory import Key

CHORDS = {  # soprano, alto, tenor, bass in C major
    "I": (67, 64, 60, 48), "IV": (69, 65, 60, 53), "V": (67, 62, 59, 55), "vi": (69, 64, 60, 57),
    "ii6": (69, 65, 62, 53), "V7": (65, 62, 59, 55), "I6": (67, 60, 60, 52), "I5": (64, 60, 55, 48),
    "close": (60, 55, 52, 48),
}
PROGRESSIONS = (
    "I IV V I I vi ii6 V I6 IV V7 I5 IV ii6 V7 close",
    "I V I IV I6 ii6 V7 I5 I vi IV V I ii6 V7 close",
    "I vi IV V I IV I6 V I V vi ii6 I6 IV V7 close",
    "I I6 IV V vi ii6 V I5 I IV ii6 V I6 IV V7 close",
    "I IV I V I vi ii6 V IV I6 ii6 V I vi V7 close",
)
TRANSPOSITIONS = (0, 2, -3, 5, -1)
TUNES = (
    "60 62 64 65 67 67 69 69 67 65 64 62 60 64 62 60", "67 65 64 62 64 65 67 64 62 64 65 62 60 62 64 60",
    "60 64 67 64 65 69 67 65 64 67 65 62 64 62 59 60", "64 64 65 67 67 65 64 62 60 60 62 64 64 62 62 60",
    "60 60 67 67 69 69 67 67 65 65 64 64 62 62 60 60",
)


def chorale(progression: str, semitones: int) -> Score:
    """Return eight bars in four voices: two chords a bar, passing notes above, a fermata every four bars."""
    score = new_score(tempo_bpm=80, key=Key.of(semitones % 12, "major"))
    score.tracks.extend([Track(name) for name in VOICE_NAMES])
    chords = [CHORDS[name] for name in progression.split()]
    for place, (chord, following) in enumerate(zip(chords, [*chords[1:], chords[-1]], strict=True)):
        start = 2.0 * place
        for track, pitch, then in zip(score.tracks, chord, following, strict=True):
            passing = abs(then - pitch) == 4 and place % 8 != 7
            track.notes.append(Note(start, 1.0 if passing else 2.0, pitch + semitones, 80))
            if passing:
                track.notes.append(Note(start + 1, 1.0, (pitch + then) // 2 + semitones, 80))
        if place % 8 == 7:
            score.markers.extend([TextMeta(start, FERMATA), TextMeta(start + 2, PHRASE_END)])
    return score


def melody(tune: str, semitones: int) -> Score:
    """Return four bars of a tune in quarter notes, the last of each half held."""
    score = new_score(tempo_bpm=100, key=Key.of(semitones % 12, "major"))
    score.tracks.append(Track("Melody"))
    for place, pitch in enumerate(tune.split()):
        score.tracks[0].notes.append(Note(float(place), 1.0, int(pitch) + semitones, 80))
    return score


def item(name: str, score: Score) -> Item:
    """Return a score as an item of a corpus."""
    return Item(name, "score", score, source="made for the tests", licence="CC0-1.0", hash=hash_of_score(score))


@pytest.fixture(scope="session")
def chorales() -> list[Item]:
    """Five four-voice pieces of eight bars in five keys."""
    pieces = zip(PROGRESSIONS, TRANSPOSITIONS, strict=True)
    return [item(f"chorale {n}", chorale(*piece)) for n, piece in enumerate(pieces)]


@pytest.fixture(scope="session")
def melodies() -> list[Item]:
    """Five melodies of four bars in five keys."""
    pieces = zip(TUNES, TRANSPOSITIONS, strict=True)
    return [item(f"melody {n}", melody(*piece)) for n, piece in enumerate(pieces)]


@pytest.fixture(scope="session")
def sine() -> Audio:
    """Half a second of 440 Hz at -6 dBFS, mono, 44.1 kHz."""
    seconds = np.arange(22050) / 44100
    return Audio((0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32), 44100)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of its own for one test."""
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
