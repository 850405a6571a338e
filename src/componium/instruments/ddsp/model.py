"""DDSP autoencoder: recordings of one instrument become an instrument that plays scores and takes over other sounds.

Idea: A small network hears pitch and loudness and says how loud each partial of a harmonic series and each band of
noise is; oscillators, filters and a room, which need not be learned, make the sound of it.

Paper: J. Engel, L. Hantrakul, C. Gu, A. Roberts, "DDSP: Differentiable Digital Signal Processing" (ICLR 2020); the
names of the note controls after Y. Wu et al., "MIDI-DDSP" (ICLR 2022). The sound is made slice by slice, so that with
the same knobs a stream gives the same as the whole (`adjust` and `autotune` need the whole); pitch is followed by the
tracker that the checkpoint names, always.

Learns from: about ten minutes of one instrument or voice, one note at a time, dry if it can be had.

Good and bad at: good at winds, bowed strings and voices in their middle range, with soft changes of pitch and loudness.
Bad at chords, percussion, bells, and whatever is neither harmonic nor noise; a voice loses its words.

Trains and generates: multi-scale spectral loss against the recording. Notes become curves of pitch and loudness by
rules whose numbers (dynamics, attacks, vibrato) are measured in the recordings; curves become sound.

Size and speed: 0.5 million parameters at the defaults; speeds are in the documentation, measured by `componium bench`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from componium.dsp.pitch import TRACKERS
from componium.dsp.shaping import ENVELOPES
from componium.dsp.spectra import spectral_losses
from componium.instruments.ddsp import features, playing, streams, transferring
from componium.instruments.ddsp.features import COEFFICIENTS, SILENT_DB, Features
from componium.instruments.ddsp.learned import Learned, learned_from
from componium.instruments.ddsp.network import DDSPNetwork, Room
from componium.instruments.ddsp.notes import NoteStream
from componium.instruments.ddsp.playing import Expression
from componium.interface import Arrays, Progress, setting, silent
from componium.music.audio import Audio
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.keys import pitch_name
from componium.music.score import Score
from componium.nn import weights

FULL_SCALE = 32768.0
RANGES = {"sample_rate_hz": (8000, 192000), "hop_samples": (32, 8192), "loudness_window": (64, 16384),
          "harmonics": (1, 512), "noise_bands": (3, 2049), "hidden": (8, 4096), "width": (8, 4096), "layers": (1, 12),
          "z_size": (0, 512), "reverb_seconds": (0, 10), "crop_seconds": (0.1, 60), "lowest_hz": (20, 2000),
          "highest_hz": (100, 8000)}
SILENCE = 0.2
"""An excerpt may begin so much of its length before a recording, or end so much after it."""
CHUNK_FRAMES = 512
"""Frames that are played at once: memory stays the same however long a sound is."""


@dataclass(frozen=True)
class DDSPConfig:
    """Settings of `DDSP`."""

    sample_rate_hz: int = setting(48000, "sample rate of the sound, Hz")
    hop_samples: int = setting(1024, "samples from one frame of pitch and loudness to the next")
    tracker: str = setting("causal", "what follows the pitch, in training as in playing", TRACKERS)
    lowest_hz: float = setting(130.0, "lowest pitch that is followed, Hz: the lower, the later it answers live")
    highest_hz: float = setting(2000.0, "highest pitch that is followed, Hz")
    loudness_window: int = setting(1024, "samples over which loudness is measured")
    harmonics: int = setting(60, "partials of the harmonic series")
    noise_bands: int = setting(65, "bands of the noise's filter")
    hidden: int = setting(256, "width of the recurrent layer")
    width: int = setting(128, "width of the other layers")
    layers: int = setting(1, "layers in each stack")
    z_size: int = setting(0, "dimensions of what is neither pitch nor loudness, heard in MFCCs; 0 = none")
    envelope: str = setting("hann", "how amplitudes move between frames", ENVELOPES)
    reverb_seconds: float = setting(0.0, "length of the learned room, seconds; 0 = none")
    crop_seconds: float = setting(2.0, "length of a training example, seconds")


class DDSP:
    """Plays scores, and other sounds, with the timbre of an instrument that it learned from recordings."""

    name: ClassVar[str] = "ddsp"
    Config: ClassVar[type] = DDSPConfig
    needs_training: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False
    learns_from: ClassVar[str] = "recordings"
    prepares_with: ClassVar[tuple[str, ...]] = ("sample_rate_hz", "hop_samples", "tracker", "lowest_hz", "highest_hz",
                                                "loudness_window", "z_size")
    prepared_version: ClassVar[int] = 1

    def __init__(self, config: DDSPConfig | None = None) -> None:
        self.config = DDSPConfig() if config is None else config
        self._check()
        self.provenance: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}
        self.trained = False
        self.half = False
        self.learned = Learned()
        self.initialise(0)

    def _check(self) -> None:
        given = self.config
        for name, (low, high) in RANGES.items():
            if not low <= getattr(given, name) <= high:
                raise BadInput(f"{name}={getattr(given, name)}: {name} has to be between {low} and {high}")
        for name, known in (("tracker", TRACKERS), ("envelope", ENVELOPES)):
            if getattr(given, name) not in known:
                raise BadInput(f"{name}={getattr(given, name)}: it is one of {', '.join(known)}")
        if given.highest_hz < 2 * given.lowest_hz:
            raise BadInput(f"lowest_hz={given.lowest_hz:g}, highest_hz={given.highest_hz:g}: the range has to be an "
                           "octave wide at least")

    @property
    def sample_rate_hz(self) -> int:
        """Of all sound that it hears and makes."""
        return int(self.config.sample_rate_hz)

    @property
    def frame_rate_hz(self) -> float:
        """Frames a second."""
        return float(self.config.sample_rate_hz / self.config.hop_samples)

    @property
    def crop_frames(self) -> int:
        """Frames of a training example."""
        return max(round(self.config.crop_seconds * self.frame_rate_hz), 2)

    # learning

    def initialise(self, seed: int) -> None:
        """Draw the weights anew."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = DDSPNetwork(self.config, COEFFICIENTS)
        self.trained = False

    def prepare(self, item: Item) -> Arrays:
        """Return a recording, int16 [T], with its curves: float32 [F]."""
        if not isinstance(item.content, Audio):
            raise BadInput("it is a score, not a recording")
        sound = item.content.to_mono().resample(self.sample_rate_hz).samples[0]
        if not len(sound) or not np.abs(sound).max() > 1e-4:
            raise BadInput("it is silent")
        peak = max(float(np.abs(sound).max()), 1.0)
        whole = np.round(sound / peak * (FULL_SCALE - 1)).astype(np.int16)
        return {"audio": whole, **features.heard(whole.astype(np.float32) / np.float32(FULL_SCALE), self.config)}

    def measure(self, prepared: Sequence[Arrays]) -> None:
        """Note how high and loud the notes are, and how they begin."""
        self.learned = learned_from(prepared, self.frame_rate_hz)

    def example(self, prepared: Arrays, rng: np.random.Generator | None) -> Arrays:
        """Return an excerpt [N], with the frame before it and its own [1 + F], and noise [N]; the middle for none."""
        hop, count = self.config.hop_samples, self.crop_frames
        spare, beside = max(len(prepared["f0_hz"]) - count, 0), round(SILENCE * count)
        start = spare // 2 if rng is None else int(rng.integers(-beside, spare + beside + 1))
        part = np.asarray(prepared["audio"][max(start, 0) * hop:(start + count) * hop]).astype(np.float32) / FULL_SCALE
        audio, first = np.zeros(count * hop, np.float32), max(-start, 0) * hop
        audio[first:first + len(part)] = part
        places = np.arange(start - 1, start + count)
        made = {"audio": audio}
        for name, beyond in (("f0_hz", None), ("loudness_db", SILENT_DB), ("mfcc", None)):
            if name in prepared:
                curve = prepared[name][np.clip(places, 0, len(prepared[name]) - 1)].astype(np.float32)
                if beyond is not None:
                    curve[(places < 0) | (places >= len(prepared[name]))] = beyond
                made[name] = curve
        noise = np.random.default_rng(0) if rng is None else rng
        made["noise"] = 2 * noise.random(count * hop, dtype=np.float32) - 1
        return made

    def loss(self, batch: Mapping[str, Any], *, turn: str, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the multi-scale spectral loss, the mean over examples."""
        z = self.network.colour(batch["mfcc"]) if self.config.z_size else batch["f0_hz"].new_zeros(
            (*batch["f0_hz"].shape, 0))
        made = self.network(batch["f0_hz"], batch["loudness_db"], z, batch["noise"])
        with torch.autocast(made.device.type, enabled=False):
            return spectral_losses(made.float(), batch["audio"]).mean(), {}

    def turns(self, step: int) -> tuple[str, ...]:
        """Return the one turn there is."""
        return ("all",)

    def parameters_of(self, turn: str) -> Iterable[torch.nn.Parameter]:
        """Return all parameters."""
        return self.network.parameters()

    def stage(self, step: int) -> str:
        """Return the one stage there is, which has no name."""
        return ""

    # state

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return the weights, in 16 bits where `halve` was called, and what is known of the recordings."""
        if not self.trained:
            return {}, {}
        return weights.weights_of(self.network, half=self.half), {"learned": self.learned.to_json(), "half": self.half}

    def load_state(self, arrays: Mapping[str, npt.NDArray[Any]], json: Mapping[str, Any]) -> None:
        """Take back what `state` returned; raises `BadInput` where it does not fit these settings."""
        if not arrays:
            return
        learned = Learned.from_json(json.get("learned", {}))
        weights.load_weights(self.network, arrays)
        self.learned, self.half, self.trained = learned, bool(json.get("half", False)), True

    def halve(self) -> None:
        """Round the weights to 16 bits, in which they are then kept: half the size on disk."""
        weights.halve(self.network)
        self.half = True

    def ready(self) -> DDSP:
        """Return the model; raises `BadInput` where it has not been trained."""
        if not self.trained:
            raise BadInput("ddsp has to be trained first: componium train ddsp MY_RECORDINGS --out my.instrument")
        return self

    # abilities

    def hear(self, audio: Audio, *, lead: int = 0) -> Features:
        """Return the curves of a sound, of any rate and number of channels; raises `BadInput` for an empty one.

        With ``lead`` so many frames before its beginning come first.
        """
        mono = audio.to_mono().resample(self.sample_rate_hz).samples[0]
        if not len(mono):
            raise BadInput("the sound is empty")
        if not np.isfinite(mono).all():
            raise BadInput("the sound has samples that are not numbers (NaN or infinity)")
        curves = features.heard(mono, self.config, lead)
        z = np.zeros((len(curves["f0_hz"]), self.config.z_size), np.float32)
        if self.config.z_size:
            with torch.inference_mode():
                z = self.network.eval().colour(torch.from_numpy(curves["mfcc"])[None])[0].numpy()
        return Features(curves["f0_hz"], curves["confidence"], curves["loudness_db"], z)

    def transfer(self, audio: Audio, *, octave_shift: float = 0.0, confidence_threshold: float = 0.5,
                 loudness_shift_db: float = 0.0, quiet_db: float = 20.0, autotune: float = 0.0, adjust: bool = True,
                 reverb: float = 1.0, seed: int = 0, progress: Progress = silent) -> Audio:
        """Return a sound, one note at a time, with the timbre of this instrument; as long as it was.

        Args:
            audio: any sound.
            octave_shift: octaves up or down, after `adjust`.
            confidence_threshold: 0 to 1; less sure frames belong to no note.
            loudness_shift_db: dB louder or softer, after `adjust`.
            quiet_db: dB by which what belongs to no note is softened, 0 to 60.
            autotune: 0 to 1, how much pitch is pulled to the best-fitting major scale.
            adjust: move pitch by octaves, and loudness, to where the instrument learned them.
            reverb: how much of the learned room is added, where there is one.
            seed: of the noise.
            progress: told how far it is.
        """
        self.ready()
        knobs = transferring.Knobs(octave_shift, confidence_threshold, loudness_shift_db, quiet_db, autotune, adjust)
        progress(0.0, "listening")
        lead = streams.lead_frames(self.config)
        curves = transferring.turned(self.hear(audio, lead=lead), knobs, self.learned, self.frame_rate_hz)
        made = self.sound_of(curves, seed=seed, reverb=reverb, progress=progress)
        start = lead * self.config.hop_samples
        samples = round(audio.sample_count * self.sample_rate_hz / audio.sample_rate_hz)
        return replace(made, samples=made.samples[:, start:start + samples])

    def play(self, score: Score, *, vibrato_cents: float = -1.0, dynamics: float = 1.0, attack: float = 1.0,
             legato: float = 0.5, brightness: float = 0.0, fold: bool = False, reverb: float = 1.0, seed: int = 0,
             progress: Progress = silent) -> Audio:
        """Return the sound of a score: each track one note at a time, chords in several lines; mono.

        Args:
            score: any score; drums are left out.
            vibrato_cents: depth of the vibrato of long notes, peak; -1 = as in the recordings.
            dynamics: 0 = all notes alike, 1 = as far apart as in the recordings, up to 3.
            attack: 0 = notes begin softly, 1 = as in the recordings, up to 3.
            legato: 0 = notes are set apart, 0.5 = as written, 1 = notes that follow one another are bound.
            brightness: tilt of the partials, dB an octave.
            fold: move notes beyond the range of the recordings into it by octaves.
            reverb: how much of the learned room is added, where there is one.
            seed: of the noise and of how pitch and loudness wander.
            progress: told how far it is.

        Raises:
            BadInput: no notes, more than two hours of them, or a knob out of its range.
        """
        learned, wish = self.ready().learned, Expression(vibrato_cents, dynamics, attack, legato, brightness)
        lines = playing.played_lines(score)
        last = max(float(line.end.max()) for line, _ in lines)
        frames = features.frames_of(round((last + playing.TAIL_SECONDS) * self.sample_rate_hz), self.config.hop_samples)
        total = np.zeros((1, frames * self.config.hop_samples), np.float32)
        for number, (line, track) in enumerate(lines):
            def told(done: float, text: str = "", number: int = number) -> None:
                progress((number + done) / len(lines), text)

            chosen = playing.folded(line, learned) if fold else line
            curves = playing.curves_of(chosen, track, learned, wish, frame_rate_hz=self.frame_rate_hz, frames=frames,
                                       seed=seed + number)
            curves = curves.with_(z=np.tile(self.network.z_mean.numpy(), (frames, 1)))
            total += self.sound_of(curves, seed=seed + number, reverb=reverb, brightness=brightness,
                                   progress=told).samples
        return Audio(total, self.sample_rate_hz).fade(0.0, 0.02)

    def advice(self, score: Score) -> str:
        """Return a sentence on notes that the recordings did not have, or nothing."""
        lines = [line for line, _ in playing.played_lines(score)]
        count, notes = sum(playing.beyond(line, self.learned) for line in lines), sum(len(line.start) for line in lines)
        low, high = (pitch_name(round(note)) for note in self.learned.pitch_range)
        return "" if not count else (f"{count} of {notes} notes lie outside of {low} to {high}, where its recordings "
                                     "are: they may sound strange; fold=true moves them by octaves")

    def sound_of(self, curves: Features, *, seed: int = 0, reverb: float = 1.0, brightness: float = 0.0,
                 progress: Progress = silent) -> Audio:
        """Return the sound of curves: mono, ``hop`` samples a frame."""
        check_chance(seed, reverb)
        network, count = self.ready().network.eval(), len(curves)
        state, chosen = network.start(1), torch.tensor([[seed % (2**31 - 1)]])
        parts = []
        with torch.inference_mode():
            for start in range(0, count, CHUNK_FRAMES):
                progress(start / count, "playing")
                f0, loud, z = (torch.from_numpy(np.array(each[start:start + CHUNK_FRAMES]))[None]
                               for each in (curves.f0_hz, curves.loudness_db, curves.z))
                amplitudes, magnitudes, state = network.controls(f0, loud, z, state)
                amplitudes = tilted(amplitudes, brightness) if brightness else amplitudes
                sound, state = network.synthesise(f0, amplitudes, magnitudes, chosen, state)
                parts.append(sound)
            dry = torch.cat(parts, 1)
            if network.reverb is not None and reverb:
                room = Room(network.response(), self.config.hop_samples)
                dry, _ = room(dry, torch.tensor(float(reverb)), room.start(1))
        progress(1.0, "played")
        return Audio(dry.numpy(), self.sample_rate_hz)

    # streams

    def streams(self, *, seed: int = 0) -> dict[str, Any]:
        """Return what can be played in slices: ``decode``, and ``transfer`` where live sound can be followed."""
        network = self.ready().network.eval()
        found: dict[str, Any] = {"decode": streams.PlayCurves(network, seed)}
        if self.config.tracker == streams.LIVE_TRACKER and not self.config.z_size:
            found["transfer"] = streams.TakeOver(network, self.config, seed)
        return found

    def notes(self, *, vibrato_cents: float = -1.0, dynamics: float = 1.0, attack: float = 1.0,
              seed: int = 0) -> NoteStream:
        """Return what turns keys as they are pressed into frames for the stream ``decode``; knobs as in `play`."""
        return NoteStream(self.ready().learned, Expression(vibrato_cents, dynamics, attack), self.frame_rate_hz, seed)


def check_chance(seed: int, reverb: float) -> None:
    """Raise `BadInput` for a seed or an amount of reverb that cannot be."""
    if seed < 0:
        raise BadInput(f"seed={seed}: a seed is 0 or more")
    if not 0 <= reverb <= 10:
        raise BadInput(f"reverb={reverb}: reverb has to be between 0 and 10")


def tilted(amplitudes: Tensor, db_an_octave: float) -> Tensor:
    """Return amplitudes of partials [B, F, K], higher ones louder by so much; each frame keeps its power."""
    number = torch.arange(1, amplitudes.shape[-1] + 1, device=amplitudes.device)
    bright = amplitudes * number ** (db_an_octave / (20.0 * math.log10(2.0)))
    power = amplitudes.square().sum(-1, keepdim=True) / bright.square().sum(-1, keepdim=True).clamp(min=1e-20)
    return bright * power.sqrt()
