"""Audio: sound with its sample rate; reading, writing, resampling, mixing, loudness."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music import stamps
from componium.music.errors import BadFile, BadInput
from componium.music.files import replacing
from componium.music.loudness import integrated_loudness, normalising_gain
from componium.music.origin import Origin

AUDIO_EXTENSIONS = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
"""File endings that `Audio.read` takes; `Audio.write` takes the first three."""

METADATA_KEYS = ("title", "artist", "album", "date", "genre", "copyright", "license", "software", "comment")
"""Texts that a sound file can carry; which of them survive depends on the format (FLAC and OGG keep all)."""

_SUBTYPES = {".wav": {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}, ".flac": {16: "PCM_16", 24: "PCM_24"},
             ".ogg": {16: "VORBIS", 24: "VORBIS", 32: "VORBIS"}}
_SYSTEM_ERROR = 2  # libsndfile's code for a write that the operating system refused
_WRITE_BLOCK = 1 << 16  # frames; libsndfile's Vorbis encoder overflows its stack on very long single writes


@dataclasses.dataclass(frozen=True, eq=False)
class Audio:
    """A sound.

    Attributes:
        samples: float32 [channels, samples], full scale -1..1 (more is allowed until it is written); a vector
            becomes one channel.
        sample_rate_hz: samples per second.

    Raises:
        BadInput: the samples are not numbers of that shape, hold NaN or infinity, or the rate is not
            positive.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples)
        if samples.ndim == 1:
            samples = samples[None, :]
        if samples.ndim != 2 or samples.shape[0] == 0:
            raise BadInput(f"sound is [channels, samples], not an array of shape {samples.shape}")
        if samples.dtype.kind != "f":
            raise BadInput(f"sound holds floating-point samples (full scale -1..1), not {samples.dtype}")
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        if not np.isfinite(samples).all():
            raise BadInput("sound holds finite samples only; there is NaN or infinity in it")
        if not (math.isfinite(self.sample_rate_hz) and self.sample_rate_hz >= 1) or self.sample_rate_hz % 1:
            raise BadInput(f"a sample rate is a whole number above 0 Hz, not {self.sample_rate_hz}")
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "sample_rate_hz", int(self.sample_rate_hz))

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def sample_count(self) -> int:
        """Number of samples in each channel."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.sample_count / self.sample_rate_hz

    @property
    def peak_db(self) -> float:
        """Largest absolute sample in dBFS; minus infinity for silence."""
        peak = float(np.max(np.abs(self.samples), initial=0.0))
        return 20.0 * math.log10(peak) if peak > 0 else float("-inf")

    @property
    def loudness_lufs(self) -> float:
        """Integrated loudness (ITU-R BS.1770) in LUFS; minus infinity for silence."""
        return integrated_loudness(self.samples, self.sample_rate_hz)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Audio:
        """Read WAV, FLAC, OGG, MP3 or AIFF at the file's own rate and channels.

        Raises:
            BadFile: missing, a folder, empty, not sound, cut off, or without a single sample.
        """
        import soundfile

        with open_sound(path) as file:
            try:
                samples = file.read(dtype="float32", always_2d=True).T
            except soundfile.LibsndfileError as error:
                raise BadFile(path, f"the sound is damaged ({said_by(error)})") from error
            rate, whole = file.samplerate, file.format == "MP3" or samples.shape[1] >= file.frames
        if not whole or wav_is_cut(path):
            raise BadFile(path, "is cut off: it ends before its sound does")
        if samples.shape[1] == 0:
            raise BadFile(path, "holds no samples")
        if not np.isfinite(samples).all():
            raise BadFile(path, "holds samples that are not numbers (NaN or infinity)")
        return cls(samples, rate)

    def write(self, path: str | os.PathLike[str], *, bits: int | str = 24,
              metadata: Mapping[str, str] | None = None, origin: Origin | None = None) -> None:
        """Write WAV, FLAC or OGG (Vorbis), by the file's ending; the file appears complete or not at all.

        Args:
            path: the file; parent folders are created.
            bits: 16, 24, or 32 (also ``"32f"``) for floating point in WAV; without meaning for OGG.
            metadata: texts under `METADATA_KEYS`.
            origin: what made it, written into the comment; without one the file says "not recorded".

        Raises:
            BadFile: another ending, or the place cannot be written.
            BadInput: bits the format has not, an unknown metadata key, no samples, or a peak above full
                scale, which would clip (everything but 32-bit WAV).
        """
        import soundfile

        depth = _depth(bits)
        texts = {key: text.encode("utf-8", "replace").decode() for key, text in (metadata or {}).items()}
        ending = Path(path).suffix.lower()
        if ending not in _SUBTYPES:
            raise BadFile(path, f"sound is written as {', '.join(_SUBTYPES)}, not {ending or 'a file without ending'}")
        if depth not in _SUBTYPES[ending]:
            raise BadInput(f"{path}: {ending[1:].upper()} takes 16 or 24 bits, not {bits}")
        self._check_writable(path, clips=(ending, depth) != (".wav", 32))
        for key in texts:
            if key not in METADATA_KEYS:
                raise BadInput(f"{path}: unknown metadata {key}; known: {', '.join(METADATA_KEYS)}")
        subtype = _SUBTYPES[ending][depth]
        frames = _quantised(self.samples, depth) if subtype.startswith("PCM") else self.samples.T
        with replacing(path) as temporary:
            try:
                self._encode(temporary, frames, ending, subtype, texts, origin or Origin())
            except soundfile.LibsndfileError as error:
                if error.code == _SYSTEM_ERROR:
                    raise BadFile(path, "cannot be written: the system refused it (is the disk full?)") from error
                raise BadFile(path, f"cannot be written as {ending[1:].upper()} at {self.sample_rate_hz} Hz with "
                                    f"{self.channels} channels ({said_by(error)})") from error

    def _encode(self, path: Path, frames: npt.NDArray[Any], ending: str, subtype: str, texts: dict[str, str],
                origin: Origin) -> None:
        """Write the file; of OGG the samples, and so their hash, are only known when it has been written once."""
        import soundfile

        def write() -> None:
            with soundfile.SoundFile(path, "w", self.sample_rate_hz, self.channels, subtype,
                                     format=ending[1:].upper()) as file:
                for key, text in texts.items():
                    setattr(file, key, text)
                for start in range(0, len(frames), _WRITE_BLOCK):
                    file.write(frames[start:start + _WRITE_BLOCK])

        said = texts.pop("comment", "")
        if ending != ".flac":
            write()
        music = hash_of_samples(path) if ending == ".ogg" else _hash_of([frames], self.sample_rate_hz, self.channels)
        texts["comment"] = f"{said}\n{origin.comment(music=music)}".lstrip("\n")
        if ending == ".wav":  # libsndfile drops all texts of a WAV file where they are longer than a few thousand bytes
            stamps.add_to_wav(path, texts["comment"])
        else:
            write()

    def _check_writable(self, path: object, *, clips: bool) -> None:
        if self.sample_count == 0:
            raise BadInput(f"{path}: there is no sound to write (0 samples)")
        if clips and self.peak_db > 1e-4:
            raise BadInput(f"{path}: the sound peaks at {self.peak_db:+.1f} dBFS and would clip; turn it down "
                           "(gain or normalise) or write 32-bit WAV")

    def resample(self, sample_rate_hz: int) -> Audio:
        """Return the sound at another rate (soxr, very high quality: alias-free, no delay)."""
        if sample_rate_hz == self.sample_rate_hz:
            return self
        if not (math.isfinite(sample_rate_hz) and sample_rate_hz >= 1) or sample_rate_hz % 1:
            raise BadInput(f"a sample rate is a whole number above 0 Hz, not {sample_rate_hz}")
        if self.sample_count == 0:
            return Audio(self.samples, sample_rate_hz)
        import soxr

        resampled = soxr.resample(np.ascontiguousarray(self.samples.T), self.sample_rate_hz, sample_rate_hz, "VHQ")
        return Audio(np.asarray(resampled, dtype=np.float32).T, sample_rate_hz)

    def to_mono(self) -> Audio:
        """Return the mean of all channels as one."""
        if self.channels == 1:
            return self
        return Audio(self.samples.mean(axis=0, dtype=np.float64).astype(np.float32), self.sample_rate_hz)

    def to_stereo(self, pan: float = 0.0) -> Audio:
        """Return two channels, placed with constant power.

        Args:
            pan: -1 left, 0 centre, 1 right. One channel is spread over both (each 3 dB down in the centre).
                Two channels are balanced: unchanged in the centre, one of them alone (3 dB up) at the sides.
                More than two are mixed to one first.

        Raises:
            BadInput: a pan outside -1..1.
        """
        if not -1.0 <= pan <= 1.0:
            raise BadInput(f"pan is between -1 (left) and 1 (right), not {pan}")
        if self.channels > 2:
            return self.to_mono().to_stereo(pan)
        if self.channels == 2 and pan == 0.0:
            return self
        angle = (pan + 1.0) * math.pi / 4.0
        sides = np.array([[math.cos(angle)], [math.sin(angle)]])
        return Audio(self.samples * (sides * math.sqrt(self.channels)).astype(np.float32), self.sample_rate_hz)

    def gain(self, db: float) -> Audio:
        """Return the sound ``db`` decibels louder; minus infinity gives silence."""
        if math.isnan(db) or db > 200:
            raise BadInput(f"a gain is a number of decibels, not {db}")
        return self if db == 0 else Audio(self.samples * np.float32(10.0 ** (db / 20.0)), self.sample_rate_hz)

    def fade(self, in_seconds: float = 0.0, out_seconds: float = 0.0) -> Audio:
        """Return the sound with beginning and end faded (raised cosine); too long fades are shortened."""
        if not (in_seconds >= 0 and out_seconds >= 0):
            raise BadInput(f"fades last 0 seconds or more, not {in_seconds} and {out_seconds}")
        faded = self.samples.copy()
        for seconds, view in ((in_seconds, faded), (out_seconds, faded[:, ::-1])):
            count = round(min(seconds * self.sample_rate_hz, self.sample_count))
            view[:, :count] *= (0.5 - 0.5 * np.cos(np.pi * np.arange(count) / max(count, 1))).astype(np.float32)
        return Audio(faded, self.sample_rate_hz)

    def normalise(self, lufs: float = -16.0, peak_ceiling_db: float = -1.0) -> Audio:
        """Return the sound at a loudness, never above a peak.

        Peaks above the ceiling are turned down by a look-ahead limiter (`loudness.normalising_gain` says
        how). Silence stays as it is.

        Args:
            lufs: integrated loudness to reach (ITU-R BS.1770).
            peak_ceiling_db: highest sample peak in dBFS, 0 or below.
        """
        if not math.isfinite(lufs) or not math.isfinite(peak_ceiling_db) or peak_ceiling_db > 0:
            raise BadInput(f"loudness {lufs} LUFS with a peak of {peak_ceiling_db} dBFS cannot be reached")
        gain = normalising_gain(self.samples, self.sample_rate_hz, lufs=lufs, peak_ceiling_db=peak_ceiling_db)
        ceiling = 10.0 ** (peak_ceiling_db / 20.0)  # float32 rounding must not pass it
        return Audio(np.clip(self.samples * gain, -ceiling, ceiling).astype(np.float32), self.sample_rate_hz)


def silence(seconds: float, sample_rate_hz: int = 44100, channels: int = 1) -> Audio:
    """Return silence of a length."""
    if not seconds >= 0 or channels < 1:
        raise BadInput(f"silence lasts 0 seconds or more on 1 channel or more, not {seconds} on {channels}")
    return Audio(np.zeros((channels, round(seconds * sample_rate_hz)), dtype=np.float32), sample_rate_hz)


def mix(sounds: Sequence[Audio], gains_db: Sequence[float] | None = None) -> Audio:
    """Add sounds that start together; the longest gives the length.

    Args:
        sounds: one or more of the same rate; where channel counts differ, one channel is placed in the centre
            of two.
        gains_db: a gain for each; none = as they are.

    Raises:
        BadInput: no sounds, unequal rates, or another number of gains.
    """
    gains = [0.0] * len(sounds) if gains_db is None else list(gains_db)
    if not sounds or len(gains) != len(sounds):
        raise BadInput(f"a mix needs one sound or more and a gain for each, not {len(sounds)} and {len(gains)}")
    rates = sorted({sound.sample_rate_hz for sound in sounds})
    if len(rates) > 1:
        raise BadInput(f"sounds at {', '.join(map(str, rates))} Hz cannot be mixed: resample them to one rate")
    if len({sound.channels for sound in sounds}) > 1:
        sounds = [sound.to_stereo() for sound in sounds]
    total = np.zeros((sounds[0].channels, max(sound.sample_count for sound in sounds)))
    for sound, gain_db in zip(sounds, gains, strict=True):
        total[:, :sound.sample_count] += sound.gain(gain_db).samples
    return Audio(total.astype(np.float32), rates[0])


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the texts a sound file carries, under `METADATA_KEYS`; raises `BadFile` as `Audio.read`.

    What `Audio.write` noted of its origin is not among them: `origin.read_origin` reads that.
    """
    with open_sound(path) as file:
        found = {key: getattr(file, key) for key in METADATA_KEYS}
        kind = "." + file.format.lower()
    if kind == ".wav":
        found["comment"] = next(stamps.texts_in(path, kind), "")
    found["comment"] = stamps.without_note(found["comment"])
    return {key: text for key, text in found.items() if text}


def hash_of_samples(path: str | os.PathLike[str]) -> str:
    """Return the sha256 (hex) of the samples of a sound file as it stores them, with rate and channels.

    Vorbis is decoded to 16 bits, which may differ between platforms. Raises `BadFile` as `Audio.read`.
    """
    import soundfile

    with open_sound(path) as file:
        kind = {"PCM_16": "int16", "PCM_24": "int32", "VORBIS": "int16"}.get(file.subtype, "float32")
        try:
            return _hash_of(file.blocks(_WRITE_BLOCK, dtype=kind, always_2d=True), file.samplerate, file.channels)
        except soundfile.LibsndfileError as error:
            raise BadFile(path, f"the sound is damaged ({said_by(error)})") from error


def _hash_of(blocks: Iterable[npt.NDArray[Any]], sample_rate_hz: int, channels: int) -> str:
    """Hash frames [samples, channels] in the type in which the file stores them."""
    found = hashlib.sha256(f"{sample_rate_hz} Hz, {channels}".encode())
    for block in blocks:
        for start in range(0, len(block), _WRITE_BLOCK):
            found.update(np.ascontiguousarray(block[start:start + _WRITE_BLOCK]).tobytes())
    return found.hexdigest()


def open_sound(path: str | os.PathLike[str]) -> Any:
    """Open a sound file with soundfile, or say in a sentence why not."""
    import soundfile

    place = Path(path)
    try:
        size = place.stat().st_size
        if place.is_dir():
            raise BadFile(path, "is a folder, not a sound file")
        if size == 0:
            raise BadFile(path, "is empty")
        with open(place, "rb"):  # tells of missing permission
            pass
        return soundfile.SoundFile(place)
    except FileNotFoundError as error:
        raise BadFile(path, "there is no such file") from error
    except soundfile.LibsndfileError as error:
        raise BadFile(path, f"is not a sound file that can be read ({said_by(error)}); "
                            f"known kinds: {', '.join(AUDIO_EXTENSIONS)}") from error
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    except TypeError as error:  # raw files: soundfile asks for a rate
        raise BadFile(path, "is raw sound without a header; convert it to WAV first") from error


def wav_is_cut(path: str | os.PathLike[str]) -> bool:
    """Return whether a WAV file promises more sound than it holds (libsndfile reads the rest without a word)."""
    size, at = os.path.getsize(path), 12
    with open(path, "rb") as file:
        if file.read(4) != b"RIFF":
            return False
        while at + 8 <= size:
            file.seek(at)
            name, length = file.read(4), int.from_bytes(file.read(4), "little")
            if name == b"data":  # programs that write into a pipe put a placeholder near 2**32, or 0
                return at + 8 + length > size and length < 0xFFFFFF00
            at += 8 + length + length % 2
    return False


def said_by(error: Exception) -> str:
    """Return what libsndfile says of an error, without a full stop."""
    return str(getattr(error, "error_string", error)).strip().rstrip(".")


def _depth(bits: int | str) -> int:
    depth = {"16": 16, "24": 24, "32": 32, "32f": 32}.get(str(bits))
    if depth is None:
        raise BadInput(f"sound is written with 16, 24 or 32 (floating point) bits, not {bits}")
    return depth


def _quantised(samples: npt.NDArray[np.float32], bits: int) -> npt.NDArray[Any]:
    """Return whole-number frames [samples, channels]; 16 bits are dithered (triangular, always alike)."""
    scale = float(1 << (bits - 1))
    frames = samples.T.astype(np.float64) * scale
    if bits == 16:
        rng = np.random.default_rng(0)
        frames += (rng.random(frames.shape) - rng.random(frames.shape)) * (frames != 0)
        return np.clip(np.rint(frames), -scale, scale - 1).astype(np.int16)
    return np.clip(np.rint(frames), -scale, scale - 1).astype(np.int32) << (32 - bits)
