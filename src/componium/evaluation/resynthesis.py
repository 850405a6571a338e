"""Resynthesis: how close an instrument comes to recordings that it did not learn from, when it plays their curves.

Conventions.

- Data: excerpts of recordings (`componium.evaluation.excerpts`). The model hears the curves of each (pitch, loudness
  and what else it hears) as loud as it was recorded, and makes sound of them, without a change to any. Both are then
  multiplied by one gain, which brings the recording to -20 LUFS. A sound is compared over the recording's own length.
- ``spectral_loss`` is the multi-scale spectral loss of DDSP (Engel and others, ICLR 2020: frames of 2048 to 64
  samples, magnitudes and natural log magnitudes), the mean over excerpts. Beside it always stand the **floor**, the
  same loss between two resyntheses of the same curves with other noise: what chance alone makes, at the level of this
  model's noise; and the **ceiling**, the recording against the resynthesis of another excerpt, of another recording
  where there is one, cut to the shorter. ``way`` is (ceiling - loss) / (ceiling - floor): 0 for a sound unrelated to
  the curves, 1 for chance alone. The frames are in samples, so that losses at different rates are not comparable.
- ``multi_resolution_stft`` and ``mel_distance``: `componium.evaluation.spectrum`, the mean over excerpts.
- ``loudness_l1_db`` is the mean difference of A-weighted loudness over all frames, without sign; ``loudness_l1`` the
  same divided by 80 dB, the range from silence to full scale, which is the scale of loudness in DDSP's decoder.
- ``f0_l1`` is the mean difference of pitch without sign, in semitones (MIDI note numbers), over the frames in which the
  model's own tracker is sure (confidence >= 0.85) of the recording's pitch; of the resynthesis the same tracker
  hears the pitch again. ``f0_outliers`` is the share of these frames in which it is not sure (< 0.85) of the
  resynthesis. ``f0_l1_sure`` leaves them out, as the paper does. ``f0_l1_floor`` is what the tracker does to itself:
  the recording half a frame later against the recording.
- Means over frames pool the frames of all excerpts. Intervals are 95 % bootstrap over excerpts (2000 draws).
- ``times_real_time`` (curves to sound) and ``times_real_time_transfer`` (sound to sound, pitch tracking included) are
  medians of five runs on one thread, of the longest excerpt.
- The measures of `componium.evaluation.instrument` are taken of the recordings, of the resyntheses, and of a tune and
  a row of velocities that the model plays, in the middle of the recordings' range.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation import bootstrap, instrument, spectrum
from componium.evaluation.excerpts import COUNT, Excerpt, excerpts, material
from componium.evaluation.instrument import Curves, midi
from componium.evaluation.played import played
from componium.evaluation.resynthesis_report import Estimate, Report
from componium.evaluation.speed import times_real_time
from componium.interface import Progress, silent
from componium.music.audio import Audio
from componium.music.corpus import Corpus
from componium.music.errors import BadInput

SURE = 0.85
RANGE_DB = 80.0
REPEATS = 5
NEEDED = ("hear", "sound_of", "transfer", "play")

Samples = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """A recording and its resynthesis.

    Attributes:
        excerpt: of the recording.
        heard: curves of the recording.
        made: the resynthesis, float32 [T], as loud as it was made.
        noise: the same curves with other noise.
        again: curves of the resynthesis.
        later: curves of the recording, half a frame later.
        loss: spectral loss.
    """

    excerpt: Excerpt
    heard: Curves
    made: Samples
    noise: Samples
    again: Curves
    later: Curves
    loss: float = 0.0

    @property
    def target(self) -> Samples:
        """The recording at its common loudness."""
        return self.excerpt.samples * np.float32(self.excerpt.gain)

    @property
    def estimate(self) -> Samples:
        """The resynthesis with the recording's gain."""
        return self.made * np.float32(self.excerpt.gain)

    def audios(self) -> tuple[Audio, Audio]:
        """Return the recording and the resynthesis, with the gain of the recording."""
        rate = self.excerpt.sample_rate_hz
        return Audio(self.target, rate), Audio(self.estimate, rate)


def is_instrument(model: Any) -> bool:
    """Return whether a model, or its class, is judged by resynthesis: it learned from recordings and plays curves."""
    return getattr(model, "learns_from", "") == "recordings" and all(hasattr(model, name) for name in NEEDED)


def resynthesis(model: Any, corpus: Corpus, *, name: str = "", count: int = COUNT, seed: int = 1,
                progress: Progress = silent) -> Report:
    """Judge an instrument on recordings.

    Args:
        model: an instrument; see `is_instrument`.
        corpus: recordings; those that the model learned from are left out, unless there are no others.
        name: what the model is called; none = its name in the registry.
        count: so many excerpts at most.
        seed: of the noise.
        progress: told how far it is.

    Raises:
        BadInput: not an instrument, an untrained one, or no recording that can be used.
    """
    if not is_instrument(model):
        raise BadInput(f"{model.name} is no instrument that learned from recordings, so there is nothing to compare")
    if count < 1:
        raise BadInput(f"count={count}: recordings are judged by 1 excerpt or more")
    model.ready()
    given = material(corpus, model.provenance, name=corpus.name, skipped=corpus.skipped)
    chosen, silent_ones = excerpts(given, model.sample_rate_hz, count, progress=_part(progress, 0.0, 0.1))
    pairs = []
    for number, excerpt in enumerate(chosen):
        progress(0.1 + 0.4 * number / len(chosen), f"resynthesising {excerpt.name}")
        pairs.append(paired(model, excerpt, seed))
    values = distances(pairs, _part(progress, 0.5, 0.3)) | curve_distances(pairs)
    progress(0.8, "timing")
    longest = max(pairs, key=lambda pair: len(pair.made))
    values |= speeds(model, longest, seed)
    progress(0.88, "listening to the notes")
    notes = {"recordings": instrument.evaluate([(pair.excerpt.samples, pair.heard) for pair in pairs]),
             "resyntheses": instrument.evaluate([(pair.made, pair.again) for pair in pairs])}
    progress(0.95, "playing a tune")
    tune = played(model, middle_pitch(pairs), seed)
    progress(1.0, f"{len(pairs)} excerpts")
    return Report(name or model.name, corpus.name, model.sample_rate_hz, tracker_of(model), seed, tuple(pairs), given,
                  (*given.skipped, *silent_ones), values, notes, tune)


def _part(progress: Progress, begin: float, share: float) -> Progress:
    return lambda done, text="": progress(begin + share * done, text)


def tracker_of(model: Any) -> str:
    """Return the name of the tracker by which a model hears pitch."""
    return str(getattr(model.config, "tracker", "its own"))


def curves_of(model: Any, samples: Samples, *, cut: bool = False) -> tuple[Any, Curves]:
    """Return what a model hears in a sound at its rate, and as `Curves` those frames whose middle is in the sound.

    Frame k is centred on sample (k + 1) hop.
    """
    rate, hop = model.sample_rate_hz, round(model.sample_rate_hz / model.frame_rate_hz)
    heard = model.hear(Audio(samples, rate))
    inside = max((len(samples) - 1) // hop, 1)
    f0, sure, loud = (np.asarray(each, np.float64)[:inside]
                      for each in (heard.f0_hz, heard.confidence, heard.loudness_db))
    return heard, Curves(f0, sure, loud, hop, rate, hop, cut)


def paired(model: Any, excerpt: Excerpt, seed: int) -> Pair:
    """Return an excerpt with its resynthesis, and its spectral loss."""
    samples, cut = excerpt.samples, excerpt.start_seconds > 0
    features, heard = curves_of(model, samples, cut=cut)
    made, noise = (_fitted(model.sound_of(features, seed=each).samples[0], len(samples)) for each in (seed, seed + 1))
    later = curves_of(model, np.append(samples[heard.hop_samples // 2:], np.zeros(heard.hop_samples // 2, np.float32)))
    pair = Pair(excerpt, heard, made, noise, curves_of(model, made, cut=cut)[1], later[1])
    return dataclasses.replace(pair, loss=_loss(pair.target, pair.estimate))


def _fitted(samples: Samples, count: int) -> Samples:
    return np.pad(samples, (0, max(0, count - len(samples))))[:count]


def _loss(target: Samples, estimate: Samples) -> float:
    """Return the spectral loss of two sounds, over the shorter."""
    import torch

    from componium.dsp.spectra import spectral_loss

    count = min(len(target), len(estimate))
    with torch.inference_mode():
        one, two = (torch.from_numpy(np.ascontiguousarray(each[:count]))[None] for each in (target, estimate))
        return float(spectral_loss(one, two))


def distances(pairs: Sequence[Pair], progress: Progress = silent) -> dict[str, Estimate]:
    """Return the spectral distances; the ceiling, and the way, are None for a single excerpt."""
    floor, ceiling, resolution, mel = [], [], [], []
    for number, (pair, other) in enumerate(zip(pairs, others(pairs), strict=True)):
        progress(number / len(pairs), f"comparing {pair.excerpt.name}")
        floor.append(_loss(pair.estimate, pair.noise * np.float32(pair.excerpt.gain)))
        if other is not None:
            ceiling.append(_loss(pair.target, other.estimate))
        resolution.append(spectrum.multi_resolution_stft(*pair.audios()))
        mel.append(spectrum.mel_distance(*pair.audios()))
    loss = [pair.loss for pair in pairs]
    return {"spectral_loss": mean_of(loss), "spectral_loss_floor": mean_of(floor),
            "spectral_loss_ceiling": mean_of(ceiling), "way": way(loss, floor, ceiling),
            "multi_resolution_stft": mean_of(resolution), "mel_distance": mean_of(mel)}


def others(pairs: Sequence[Pair]) -> list[Pair | None]:
    """Return for each pair the next one, of another recording where there is one; None where there is no other."""
    found: list[Pair | None] = []
    for number, pair in enumerate(pairs):
        rest = [*pairs[number + 1:], *pairs[:number]]
        apart = [other for other in rest if other.excerpt.recording != pair.excerpt.recording]
        found.append((apart or rest or [None])[0])
    return found


def mean_of(sums: Sequence[float], counts: Sequence[float] | None = None) -> Estimate:
    """Return the sum of sums by the sum of counts (1 each unless given) with its interval; None for no counts."""
    top, below = np.asarray(sums, np.float64), np.asarray([1.0] * len(sums) if counts is None else counts, np.float64)
    top, below = top[below > 0], below[below > 0]
    if not len(top):
        return Estimate(None)
    low, high = bootstrap.interval(len(top), lambda drawn: top[drawn].sum(1) / below[drawn].sum(1))
    return Estimate(float(top.sum() / below.sum()), low, high)


def way(loss: Sequence[float], floor: Sequence[float], ceiling: Sequence[float]) -> Estimate:
    """Return the way from ceiling to floor; None without a ceiling, or where it is not above the floor."""
    if not ceiling or np.mean(ceiling) <= np.mean(floor):
        return Estimate(None)
    x, a, b = (np.asarray(each) for each in (loss, floor, ceiling))

    def share(drawn: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        span = b[drawn].mean(1) - a[drawn].mean(1)
        return (b[drawn].mean(1) - x[drawn].mean(1)) / np.where(span > 0, span, np.inf)

    whole = np.arange(len(x))[None]
    return Estimate(float(share(whole)[0]), *bootstrap.interval(len(x), share))


def curve_distances(pairs: Sequence[Pair]) -> dict[str, Estimate]:
    """Return how far loudness and pitch of the resyntheses are from those of the recordings."""
    loud, frames, apart, sure, unsure, apart_sure, shifted, both = (np.zeros(len(pairs)) for _ in range(8))
    for number, pair in enumerate(pairs):
        known, again, later = pair.heard, pair.again, pair.later
        loud[number] = np.abs(known.loudness_db - again.loudness_db).sum()
        frames[number] = len(known.loudness_db)
        counted, kept = known.confidence >= SURE, again.confidence >= SURE
        away = np.abs(midi(known.f0_hz) - midi(again.f0_hz))
        apart[number], sure[number] = away[counted].sum(), counted.sum()
        unsure[number] = (counted & ~kept).sum()
        apart_sure[number] = away[counted & kept].sum()
        steady = counted & (later.confidence >= SURE)
        shifted[number], both[number] = np.abs(midi(known.f0_hz) - midi(later.f0_hz))[steady].sum(), steady.sum()
    return {"loudness_l1": mean_of(loud / RANGE_DB, frames), "loudness_l1_db": mean_of(loud, frames),
            "f0_l1": mean_of(apart, sure), "f0_l1_sure": mean_of(apart_sure, sure - unsure),
            "f0_l1_floor": mean_of(shifted, both), "f0_outliers": mean_of(unsure, sure)}


def speeds(model: Any, pair: Pair, seed: int) -> dict[str, Estimate]:
    """Return how many times faster than real time a model plays curves, and takes over sound, on one thread."""
    excerpt = pair.excerpt
    features, sound = model.hear(Audio(excerpt.samples, excerpt.sample_rate_hz)), Audio(excerpt.samples,
                                                                                         excerpt.sample_rate_hz)
    with one_thread():
        return {"times_real_time": Estimate(times_real_time(lambda: model.sound_of(features, seed=seed),
                                                            excerpt.seconds, repeats=REPEATS)),
                "times_real_time_transfer": Estimate(times_real_time(lambda: model.transfer(sound, seed=seed),
                                                                     excerpt.seconds, repeats=REPEATS))}


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread for a while."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def middle_pitch(pairs: Sequence[Pair]) -> float:
    """Return the median note number of the recordings' notes; 60 where none is heard."""
    notes = np.concatenate([midi(pair.heard.f0_hz)[instrument.in_note(pair.heard)] for pair in pairs])
    return float(np.median(notes)) if len(notes) else 60.0
