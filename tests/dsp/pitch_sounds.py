"""Notes of known pitch for the tests of trackers: made here, played from a SoundFont, and recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from componium.evaluation import pitch_tracking
from componium.evaluation.pitch_tracking import PitchScores

RATE = 48000
HOP = 512
SAX = Path(os.environ.get("COMPONIUM_BENCH_DATA", "")) / "audio" / "alto_sax"
SEMITONES = {"c": 0, "db": 1, "d": 2, "eb": 3, "e": 4, "f": 5, "gb": 6, "g": 7, "ab": 8, "a": 9, "bb": 10, "b": 11}
PARTS = {  # kind of note -> the level of harmonic k
    "sine": lambda k: float(k == 1),
    "saw": lambda k: 1 / k,
    "odd": lambda k: (k % 2) / k,
    "weak odd": lambda k: (0.15 if k % 2 else 1.0) / k,
    "missing": lambda k: float(k > 1) / k,
}


def hz_of(midi):
    return 440.0 * 2.0 ** ((np.asarray(midi) - 69.0) / 12.0)


def note(kind, hz, *, seconds=0.4, rate=RATE, peak=0.3, vibrato_cents=0.0, glide_cents=0.0, noise_db=-60.0):
    """Return a note [T] with short fades and its pitch [T]; ``noise_db`` is relative to the peak."""
    at = np.arange(round(seconds * rate)) / rate
    bent = hz * 2.0 ** ((vibrato_cents * np.sin(2 * np.pi * 5.5 * at) + glide_cents * at / seconds) / 1200.0)
    phase = 2 * np.pi * np.cumsum(bent) / rate
    count = max(3 if kind == "missing" else 1, int(0.45 * rate / bent.max()))
    sound = sum(PARTS[kind](k) * np.sin(k * phase + k * k) for k in range(1, count + 1) if PARTS[kind](k))
    sound = sound / np.abs(sound).max() * np.minimum(1.0, np.minimum(at / 0.01, (seconds - at) / 0.03))
    sound = sound + 10 ** (noise_db / 20) * np.random.default_rng(0).standard_normal(len(at))
    return (peak * sound).astype(np.float32), bent


def scores(tracker, notes, *, rate=RATE, hop=HOP) -> PitchScores:
    """Return the figures over all notes, each without its first and last moments."""
    rows = []
    for sound, hz in notes:
        found = tracker.track(sound, rate, hop_samples=hop)
        places = np.arange(len(found.f0_hz)) * hop
        inside = (places > 0.02 * rate) & (places < len(sound) - 0.03 * rate)
        rows.append((hz[places[inside]], found.f0_hz[inside], found.confidence[inside] >= 0.5))
    return pitch_tracking.evaluate(*(np.concatenate(row) for row in zip(*rows, strict=True)))


def soundfont_notes(program: int, lowest: int, highest: int, step: int = 2) -> list:
    """Return notes of one second of a General MIDI instrument."""
    from componium import registry
    from componium.music.score import Note, Track, new_score

    player, notes = registry.create("soundfont", sample_rate_hz=RATE), []
    for midi in range(lowest, highest + 1, step):
        score = new_score(tempo_bpm=120)
        score.tracks.append(Track("line", program=program))
        score.tracks[0].notes.append(Note(0.0, 2.0, midi, 90))
        notes.append((player.play(score).to_mono().samples[0][:RATE], np.full(RATE, hz_of(midi))))
    return notes


def sax_notes(every: int = 1) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yield name, sound and nominal pitch of the recorded notes; they sound an octave above their names."""
    from componium.music.audio import Audio

    for path in sorted(SAX.glob("*.flac"))[::every]:
        name = path.name.split("_")[0]
        audio = Audio.read(path).to_mono().resample(RATE)
        yield path.name, audio.samples[0], float(hz_of(SEMITONES[name[:-1]] + 12 * (int(name[-1]) + 2)))


def level_db(sound, frames: int, hop: int = HOP, width: int = 1024):
    """Return the level of frames [F] in dB."""
    summed = np.concatenate([[0.0], np.cumsum(np.pad(sound, (width // 2, width + hop)).astype(np.float64) ** 2)])
    at = np.arange(frames) * hop
    return 10 * np.log10((summed[at + width] - summed[at]) / width + 1e-12)


def sax_scores(tracker, every: int = 1) -> PitchScores:
    """Return the figures over recorded notes: the frames at most 30 dB below the loudest have the pitch of the name."""
    rows = []
    for _, sound, hz in sax_notes(every):
        found = tracker.track(sound, RATE, hop_samples=HOP)
        level = level_db(sound, len(found.f0_hz))
        rows.append((np.where(level > level.max() - 30, hz, 0.0), found.f0_hz, found.confidence >= 0.5))
    reference, estimate, voiced = (np.concatenate(row) for row in zip(*rows, strict=True))
    off = pitch_tracking.cents_off(reference, estimate)
    tuning = pitch_tracking.tuning_cents(off[reference > 0])
    return pitch_tracking.evaluate(reference, estimate, voiced, tuning=tuning)
