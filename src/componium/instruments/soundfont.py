"""A player of SoundFonts: any score, with any of the 128 General MIDI instruments and the drum kits.

Idea: a SoundFont holds recordings of instruments and says for each key which recording sounds, how it is tuned,
looped, filtered and shaped over time. This player reads those instructions and adds up the notes.

Paper: "SoundFont Technical Specification", version 2.04 (E-mu Systems, 2006). Played: regions by key and velocity,
tuning, loops, volume and modulation envelopes, low-pass filter, vibrato, pan, release; of MIDI: velocity, volume, pan
and expression controllers, sustain pedal, pitch bends (two semitones). Not played: the font's own modulators, chorus
and reverb sends, exclusive classes. It is a player of its own because symusic 0.5.9's synthesiser plays every velocity
alike, ends each note at its note-off without a release, and detunes regions tuned by more than a semitone.

Learns from: nothing; the sounds are in the SoundFont, whose licence is the font's own.

Good and bad at: good at hearing any score at once and in tune, with everyday instruments. Bad at long expressive
lines: every note is the same recording, so that legato and vowels do not exist.

Trains and generates: it is not trained. Each key that a part uses is rendered once, as long as its longest note;
notes are cut from it, weighted by velocity, released as the font says and added in place. Nothing is left to chance.

Size and speed: no parameters; the font of the pretty_midi package has 6 MB. On one core a four-part chorale plays
about 200 times faster than real time with the choir, 400 with the piano, 100 with the layered strings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from componium.interface import Arrays, Progress, setting, silent
from componium.music.audio import Audio
from componium.music.errors import BadInput
from componium.music.general_midi import program_of
from componium.music.score import Score
from componium.music.sf2 import DRUM_BANK, Region, Sample, SoundBank, open_bank
from componium.music.soundfont import find_soundfont

Floats = npt.NDArray[np.float64]
Wave = npt.NDArray[np.float32]

BEND_SEMITONES = 2.0
SILENT_DB = 80.0  # below the level of the note: its release ends there
LONGEST_SECONDS = 2 * 3600.0
FILTER_BLOCK = 512  # samples between changes of a moving filter
EMU_ATTENUATION = 0.4  # fonts are made for hardware that turned down by this share of the written attenuation


@dataclasses.dataclass(frozen=True)
class SoundFontConfig:
    """Settings of `SoundFont`."""

    soundfont: str = setting("", "path of a .sf2 or .sf3 file; empty = the first that is found here")
    program: int | str = setting(-1, "General MIDI program or name for every part; -1 = as the score says")
    sample_rate_hz: int = setting(44100, "sample rate of the sound, Hz")
    gain_db: float = setting(-12.0, "level of everything, dB; leaves room for many notes at once")
    tail_seconds: float = setting(6.0, "longest sound kept after the last note has ended, seconds")


def _seconds(timecents: float) -> float:
    return 0.0 if timecents <= -12000 else float(2.0 ** (timecents / 1200.0))


def _hz(cents: float | Floats) -> Any:
    return 8.176 * 2.0 ** (np.asarray(cents) / 1200.0)


def volume_envelope(values: Mapping[str, int], key: int, count: int, rate_hz: int) -> Wave:
    """Return the level of a held note, linear [count]: delay, attack, hold, decay (straight in dB)."""
    start = round(_seconds(values["delay"]) * rate_hz)
    attack = max(round(_seconds(values["attack"]) * rate_hz), round(0.001 * rate_hz))
    hold = round(_seconds(values["hold"] + values["key_to_hold"] * (60 - key)) * rate_hz)
    full_decay = _seconds(values["decay"] + values["key_to_decay"] * (60 - key)) * rate_hz
    sustain_db = min(max(values["sustain"] / 10.0, 0.0), 100.0)
    envelope = np.full(count, 10.0 ** (-sustain_db / 20.0) if sustain_db < SILENT_DB else 0.0, dtype=np.float32)
    envelope[:start] = 0.0
    top = start + attack
    envelope[start:top] = (np.arange(attack, dtype=np.float32) / attack)[: max(count - start, 0)]
    envelope[top:top + hold] = 1.0
    fall = np.arange(min(max(int(full_decay * sustain_db / 100.0), 0), max(count - top - hold, 0)))
    envelope[top + hold:top + hold + len(fall)] = np.exp(fall * (-np.log(1e5) / max(full_decay, 1.0)))
    return envelope


def modulation_envelope(values: Mapping[str, int], key: int, seconds: Floats) -> Floats:
    """Return the modulation envelope 0..1 of a held note at times in seconds: convex attack, straight decay.

    The attack is the specification's convex curve: it makes cutoff or pitch rise evenly in Hz rather than in cents.
    """
    sustain = 1.0 - min(max(values["mod_sustain"] / 1000.0, 0.0), 1.0)
    hold = _seconds(values["mod_hold"] + values["key_to_mod_hold"] * (60 - key))
    decay = _seconds(values["mod_decay"] + values["key_to_mod_decay"] * (60 - key)) * (1.0 - sustain)
    steps = np.array([_seconds(values["mod_delay"]), max(_seconds(values["mod_attack"]), 1e-4), hold, max(decay, 1e-4)])
    straight = np.interp(seconds, np.cumsum(steps), [0.0, 1.0, 1.0, sustain])
    convex = np.maximum(1.0 + np.log10(np.maximum(straight, 1e-9)) * (400.0 / 960.0), 0.0)
    return np.where(seconds < steps[0] + steps[1], convex, straight)


def oscillator(values: Mapping[str, int], name: str, seconds: Floats) -> Floats:
    """Return a low-frequency oscillator -1..1 (triangle, rising from 0 after its delay) at times in seconds."""
    phase = np.maximum(seconds - _seconds(values[f"{name}_delay"]), 0.0) * _hz(values[f"{name}_cents"])
    triangle: Floats = 1.0 - 4.0 * np.abs((phase + 0.25) % 1.0 - 0.5)
    return triangle


def resampled(sample: Sample, region: Region, cents: float | Floats, count: int, rate_hz: int) -> Wave:
    """Return ``count`` samples (fewer if it ends) of a recording shifted by cents, looped (cubic)."""
    values = region.values
    offset = max(values["start_offset"] + 32768 * values["start_coarse"], 0)
    wave = sample.wave[offset:max(len(sample.wave) + min(values["end_offset"] + 32768 * values["end_coarse"], 0), 0)]
    low = sample.loop[0] + values["loop_start_offset"] + 32768 * values["loop_start_coarse"] - offset
    high = sample.loop[1] + values["loop_end_offset"] + 32768 * values["loop_end_coarse"] - offset
    looped = values["loop_mode"] in (1, 3) and low >= 0 and low + 2 <= high <= len(wave)
    # [1 + length + 2]: neighbours for the interpolation; after a loop's end comes its start
    body, after = (wave[:high], wave[low:low + 2]) if looped else (wave, np.zeros(2, np.float32))
    padded = np.concatenate([body[:1], body, after])
    ratio = np.exp2(np.asarray(cents) / 1200.0) * sample.rate_hz / rate_hz
    place = np.arange(count) * ratio if ratio.ndim == 0 else np.concatenate([[0.0], np.cumsum(ratio[:count - 1])])
    if looped:
        first = int(np.searchsorted(place, high))
        turns = place[first:] - low
        turns *= 1.0 / (high - low)
        place[first:] -= np.floor(turns, out=turns) * (high - low)
        np.clip(place, 0, np.nextafter(high, 0), out=place)
    else:
        place = place[: int(np.searchsorted(place, len(wave) - 1))]
    index = place.astype(np.int32)
    part = np.subtract(place, index, dtype=np.float64).astype(np.float32)
    y0, y1, y2, y3 = (padded[k:].take(index) for k in range(4))
    c1, c3 = 0.5 * (y2 - y0), 0.5 * (y3 - y0) + 1.5 * (y1 - y2)
    shifted: Wave = ((c3 * part + (y0 - y1 + c1 - c3)) * part + c1) * part + y1
    return shifted


def lowpass(wave: Wave, cutoff_hz: Floats, resonance_db: float, rate_hz: int) -> Wave:
    """Filter with a resonant second-order low-pass; its cutoff has one value per `FILTER_BLOCK` samples."""
    from scipy.signal import lfilter

    if cutoff_hz.min() >= 0.45 * rate_hz and resonance_db <= 0:
        return wave
    quality = 10.0 ** ((resonance_db - 3.01) / 20.0)
    angle = 2.0 * np.pi * np.clip(cutoff_hz, 20.0, 0.45 * rate_hz) / rate_hz
    alpha, cosine = np.sin(angle) / (2.0 * quality), np.cos(angle)
    # the specification lowers the pass band by half of the resonance
    forward = (1.0 - cosine) / (1.0 + alpha) * 10.0 ** (-resonance_db / 40.0)
    b = np.stack([forward / 2.0, forward, forward / 2.0], axis=1)
    a = np.stack([np.ones_like(alpha), -2.0 * cosine / (1.0 + alpha), (1.0 - alpha) / (1.0 + alpha)], axis=1)
    # the last stretch, where nothing moves, is one block
    moving = np.flatnonzero(np.abs(np.diff(cutoff_hz)) > 0.1)
    blocks = int(moving[-1]) + 1 if len(moving) else 0
    filtered, state = np.empty_like(wave), np.zeros(2)
    for block in range(blocks + 1):
        part = slice(block * FILTER_BLOCK, (block + 1) * FILTER_BLOCK if block < blocks else None)
        filtered[part], state = lfilter(b[block], a[block], wave[part], zi=state)
    return filtered


def held_note(bank: SoundBank, region: Region, key: int, count: int, rate_hz: int, bend: Floats | None = None) -> Wave:
    """Return one region sounding at full velocity without release, float32 [count or fewer].

    Args:
        bank: where its sample is.
        region: which sample and how it is played.
        key: MIDI pitch.
        count: number of samples wanted.
        rate_hz: sample rate.
        bend: pitch bend in cents [count], or none.
    """
    values, sample = region.values, bank.sample(region.sample)
    key = values["fixed_key"] if 0 <= values["fixed_key"] <= 127 else key
    root = values["root_key"] if 0 <= values["root_key"] <= 127 else sample.root_key
    cents: Any = (key - root) * values["scale_tuning"] + values["coarse_tune"] * 100 + values["fine_tune"]
    cents = cents + sample.correction_cents + (0.0 if bend is None else bend)
    seconds = np.arange(count) / rate_hz
    if values["vib_lfo_to_pitch"]:
        cents = cents + values["vib_lfo_to_pitch"] * oscillator(values, "vib_lfo", seconds)
    if values["mod_lfo_to_pitch"]:
        cents = cents + values["mod_lfo_to_pitch"] * oscillator(values, "mod_lfo", seconds)
    if values["mod_env_to_pitch"]:
        cents = cents + values["mod_env_to_pitch"] * modulation_envelope(values, key, seconds)
    wave = resampled(sample, region, cents, count, rate_hz)
    coarse = seconds[: len(wave)][::FILTER_BLOCK] + 0.5 * FILTER_BLOCK / rate_hz  # the middle of each block
    if len(wave) == 0:
        return wave
    cutoff = values["filter_cents"] + values["mod_env_to_filter"] * modulation_envelope(values, key, coarse)
    if values["mod_lfo_to_filter"]:
        cutoff = cutoff + values["mod_lfo_to_filter"] * oscillator(values, "mod_lfo", coarse)
    wave = lowpass(wave, _hz(np.clip(cutoff, 1500, 13500)), values["filter_q"] / 10.0, rate_hz)
    wave = wave * volume_envelope(values, key, len(wave), rate_hz)
    if values["mod_lfo_to_volume"]:
        swing_db = values["mod_lfo_to_volume"] / 10.0 * oscillator(values, "mod_lfo", seconds[: len(wave)])
        wave = wave * (10.0 ** (swing_db / 20.0)).astype(np.float32)
    return wave * np.float32(10.0 ** (-EMU_ATTENUATION * values["attenuation"] / 200.0))


@dataclasses.dataclass(frozen=True)
class _Part:
    """The notes of one track in seconds, pedal included, and its controllers."""

    pitch: npt.NDArray[np.int64]
    velocity: npt.NDArray[np.int64]
    start: Floats
    end: Floats
    preset: tuple[int, int]
    bends: list[tuple[float, int]]
    controls: dict[int, list[tuple[float, int]]]


def _part(track: Any, program: int) -> _Part:
    notes = track.notes.numpy()
    start = np.maximum(notes["time"].astype(np.float64), 0.0)
    end = np.maximum(notes["time"].astype(np.float64) + notes["duration"], start)
    for pedal in track.pedals:
        held = (end >= pedal.time) & (end < pedal.time + pedal.duration) & (start < pedal.time + pedal.duration)
        end[held] = pedal.time + pedal.duration
    controls: dict[int, list[tuple[float, int]]] = {}
    for event in track.controls:
        if event.number in (7, 10, 11):
            controls.setdefault(event.number, []).append((float(event.time), int(event.value)))
    return _Part(notes["pitch"].astype(np.int64), notes["velocity"].astype(np.int64), start, end,
                 (DRUM_BANK, track.program) if track.is_drum else (0, program if program >= 0 else track.program),
                 sorted((float(bend.time), int(bend.value)) for bend in track.pitch_bends), controls)


def _stepped(events: list[tuple[float, int]], before: float, seconds: Floats) -> Floats:
    """Return the value in force at each time, reached by ramps of 5 ms instead of jumps."""
    times, values = [-1.0], [before]
    for time, value in sorted(events):
        times += [max(time - 0.005, times[-1]), max(time, times[-1])]
        values += [values[-1], float(value)]
    return np.interp(seconds, times, values)


class SoundFont:
    """Plays scores through a SoundFont."""

    name: ClassVar[str] = "soundfont"
    Config: ClassVar[type] = SoundFontConfig
    needs_training: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True

    def __init__(self, config: SoundFontConfig | None = None) -> None:
        config = SoundFontConfig() if config is None else config
        self._program = -1 if str(config.program) == "-1" else program_of(config.program)
        if not 4000 <= config.sample_rate_hz <= 384000:
            raise BadInput(f"sample_rate_hz is between 4000 and 384000, not {config.sample_rate_hz}")
        if not 0.0 <= config.tail_seconds <= 60.0 or not -120.0 <= config.gain_db <= 24.0:
            raise BadInput("tail_seconds is between 0 and 60, gain_db between -120 and 24")
        self.config = config
        self.provenance: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return nothing: there is nothing to learn."""
        return {}, {}

    def load_state(self, arrays: Mapping[str, npt.NDArray[Any]], json: Mapping[str, Any]) -> None:
        """Accept an empty state; raises `BadInput` for any other."""
        if arrays or json:
            raise BadInput("a SoundFont player has no state to load")

    def play(self, score: Score, *, progress: Progress = silent) -> Audio:
        """Render the whole score in stereo, releases included.

        Raises:
            BadInput: no notes, or more than two hours of them.
            BadFile: the SoundFont cannot be used.
            MissingExtra: there is no SoundFont on this machine.
        """
        bank = open_bank(find_soundfont(self.config.soundfont or None).path)
        timed: Any = score.to("second")
        parts = [_part(track, self._program) for track in timed.tracks if len(track.notes)]
        if not parts:
            raise BadInput("the score has no notes to play")
        last = max(float(part.end.max()) for part in parts)
        if last > LONGEST_SECONDS:
            raise BadInput(f"the score lasts {last / 3600:.1f} hours; at most {LONGEST_SECONDS / 3600:g} can be played")
        rate = self.config.sample_rate_hz
        total = np.zeros((2, int((last + self.config.tail_seconds) * rate) + 1), dtype=np.float32)
        used = round(last * rate)
        for number, part in enumerate(parts):
            progress(number / len(parts), "playing")
            used = max(used, self._add_part(bank, part, total, alone=len(parts) == 1))
        progress(1.0, "playing")
        total = total[:, :used] * np.float32(10.0 ** (self.config.gain_db / 20.0))
        return Audio(total, rate).fade(0.0, 0.05 if self.config.tail_seconds else 0.002)

    def _add_part(self, bank: SoundBank, part: _Part, total: Wave, *, alone: bool) -> int:
        """Add one part to [2, samples]; return where it ends."""
        preset = bank.nearest(*part.preset)
        out = total if alone else np.zeros_like(total)
        used = 0
        for region in bank.regions(*preset):
            fits = ((part.pitch >= region.keys[0]) & (part.pitch <= region.keys[1])
                    & (part.velocity >= region.velocities[0]) & (part.velocity <= region.velocities[1]))
            for key in np.unique(part.pitch[fits]):
                used = max(used, self._add_key(bank, region, part, np.flatnonzero(fits & (part.pitch == key)), out))
        if part.controls:
            self._control(part, out[:, :used])
        if not alone:
            total[:, :used] += out[:, :used]
        return used

    def _add_key(self, bank: SoundBank, region: Region, part: _Part, notes: npt.NDArray[np.int64], out: Wave) -> int:
        """Add all notes of one key of one region; return where the last of them ends."""
        rate, used = self.config.sample_rate_hz, 0
        release = max(_seconds(region.values["release"]), 0.02)
        fade = np.arange(int(release * SILENT_DB / 100.0 * rate)) * (-np.log(1e5) / (release * rate))
        fade = np.exp(fade).astype(np.float32)
        begin, lengths = np.round(part.start[notes] * rate).astype(int), part.end[notes] - part.start[notes]
        lengths = np.maximum(np.round(lengths * rate).astype(int), 1)
        angle = (min(max(region.values["pan"], -500), 500) / 1000.0 + 0.5) * np.pi / 2.0
        sides = [(out[side], gain) for side, gain in enumerate((np.cos(angle), np.sin(angle))) if gain > 1e-6]
        wave, key = np.empty(0, np.float32), int(part.pitch[notes[0]])
        if not part.bends:
            wave = held_note(bank, region, key, int(lengths.max()) + len(fade), rate)
        for note, start, length in zip(notes, begin, lengths, strict=True):
            if part.bends:
                times = part.start[note] + np.arange(length + len(fade)) / rate
                bend = _stepped(part.bends, 0.0, times) * (100.0 * BEND_SEMITONES / 8192.0)
                wave = held_note(bank, region, key, length + len(fade), rate, bend)
            tail = wave[length:length + len(fade)]
            loud = (part.velocity[note] / 127.0) ** 2
            held, end = min(length, len(wave)), min(start + length + len(tail), out.shape[1])
            faded = (tail * fade[: len(tail)])[: max(end - start - length, 0)]
            for side, gain in sides:
                side[start:start + held] += np.float32(gain * loud) * wave[:held]
                side[start + length:end] += np.float32(gain * loud) * faded
            used = max(used, end)
        return used

    def _control(self, part: _Part, out: Wave) -> None:
        """Apply volume, expression and pan controllers to [2, samples] in place."""
        seconds = np.arange(out.shape[1]) / self.config.sample_rate_hz
        volume = _stepped(part.controls.get(7, []), 127.0, seconds)
        volume = volume * _stepped(part.controls.get(11, []), 127.0, seconds)
        angle = _stepped(part.controls.get(10, []), 64.0, seconds) / 128.0 * (np.pi / 2.0)
        gain = (volume / 127.0 ** 2) ** 2 * np.sqrt(2.0)
        out[0] *= gain * np.cos(angle)
        out[1] *= gain * np.sin(angle)
