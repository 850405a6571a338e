"""Reading SoundFont 2 banks: presets, regions and their samples (SF2, and SF3 with Vorbis samples).

Source: "SoundFont Technical Specification", version 2.04 (E-mu Systems, 2006), chapters 4 to 8. Modulators
other than the default ones are not read.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadFile, BadInput

DRUM_BANK = 128
"""Bank of the drum kits."""

GENERATORS: dict[int, tuple[str, int]] = {
    0: ("start_offset", 0), 1: ("end_offset", 0), 2: ("loop_start_offset", 0), 3: ("loop_end_offset", 0),
    4: ("start_coarse", 0), 5: ("mod_lfo_to_pitch", 0), 6: ("vib_lfo_to_pitch", 0), 7: ("mod_env_to_pitch", 0),
    8: ("filter_cents", 13500), 9: ("filter_q", 0), 10: ("mod_lfo_to_filter", 0), 11: ("mod_env_to_filter", 0),
    12: ("end_coarse", 0), 13: ("mod_lfo_to_volume", 0), 17: ("pan", 0), 21: ("mod_lfo_delay", -12000),
    22: ("mod_lfo_cents", 0), 23: ("vib_lfo_delay", -12000), 24: ("vib_lfo_cents", 0), 25: ("mod_delay", -12000),
    26: ("mod_attack", -12000), 27: ("mod_hold", -12000), 28: ("mod_decay", -12000), 29: ("mod_sustain", 0),
    30: ("mod_release", -12000), 31: ("key_to_mod_hold", 0), 32: ("key_to_mod_decay", 0), 33: ("delay", -12000),
    34: ("attack", -12000), 35: ("hold", -12000), 36: ("decay", -12000), 37: ("sustain", 0), 38: ("release", -12000),
    39: ("key_to_hold", 0), 40: ("key_to_decay", 0), 45: ("loop_start_coarse", 0), 46: ("fixed_key", -1),
    47: ("fixed_velocity", -1), 48: ("attenuation", 0), 50: ("loop_end_coarse", 0), 51: ("coarse_tune", 0),
    52: ("fine_tune", 0), 54: ("loop_mode", 0), 56: ("scale_tuning", 100), 57: ("exclusive_class", 0),
    58: ("root_key", -1),
}
"""Generator number -> (name, default), in the specification's cents, timecents, centibels, permille."""

_NOT_IN_PRESETS = {0, 1, 2, 3, 4, 12, 45, 46, 47, 50, 54, 57, 58}
_KEYS, _VELOCITIES, _INSTRUMENT, _SAMPLE = 43, 44, 41, 53

_PRESET = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "<u4", 3)])
_INST = np.dtype([("name", "S20"), ("bag", "<u2")])
_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("number", "<u2"), ("amount", "<i2")])
_HEADER = np.dtype([("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
                    ("rate", "<u4"), ("root", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2")])
_TABLES = {b"phdr": _PRESET, b"pbag": _BAG, b"pgen": _GENERATOR, b"inst": _INST, b"ibag": _BAG, b"igen": _GENERATOR,
           b"shdr": _HEADER}

Wave = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Region:
    """One sample of a preset with the keys and velocities it answers to.

    Attributes:
        sample: number of the sample in the bank.
        keys: lowest and highest key.
        velocities: lowest and highest velocity.
        values: value of each of `GENERATORS` by name.
    """

    sample: int
    keys: tuple[int, int]
    velocities: tuple[int, int]
    values: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Sample:
    """A recorded sound.

    Attributes:
        wave: float32 [samples], full scale -1..1.
        rate_hz: its sample rate.
        loop: first sample of the loop, and the one after its last.
        root_key: MIDI pitch of the recording.
        correction_cents: to be added to its pitch.
    """

    wave: Wave
    rate_hz: int
    loop: tuple[int, int]
    root_key: int
    correction_cents: int


class SoundBank:
    """A SoundFont in memory; regions and samples are taken apart when they are first asked for.

    Attributes:
        path: the file.
        name: the bank's own name.
        presets: (bank, program) -> preset name.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        data = _content(self.path)
        chunks = _chunks(self.path, data)
        missing = [key.decode() for key in (*_TABLES, b"smpl") if key not in chunks]
        if missing:
            raise BadFile(path, f"is not a complete SoundFont (no {', '.join(missing)} in it)")
        self._tables: dict[bytes, npt.NDArray[Any]] = {
            key: np.frombuffer(chunks[key][: len(chunks[key]) // kind.itemsize * kind.itemsize], kind)
            for key, kind in _TABLES.items()
        }
        self._sound = chunks[b"smpl"]
        self.name = bytes(chunks.get(b"INAM", b"")).split(b"\0")[0].decode("latin-1").strip() or self.path.stem
        heads = self._tables[b"phdr"][:-1]
        if not len(heads):
            raise BadFile(path, "is a SoundFont without a single preset")
        self._rows = {(int(head["bank"]), int(head["program"])): row for row, head in enumerate(heads)}
        self.presets = {key: heads[row]["name"].decode("latin-1").strip() for key, row in self._rows.items()}
        self.regions = functools.cache(self._regions)
        self.sample = functools.cache(self._sample)

    def nearest(self, bank: int, program: int) -> tuple[int, int]:
        """Return the preset that stands in for one: itself, bank 0, its General MIDI family, or the first."""
        lowest = program // 8 * 8
        family = [(0, number) for number in range(lowest, lowest + 8)]
        drums = sorted(key for key in self._rows if key[0] == DRUM_BANK)
        wanted = [(bank, program), *([(DRUM_BANK, 0), *drums] if bank == DRUM_BANK else [(0, program), *family])]
        return next((key for key in wanted if key in self._rows), min(self._rows))

    def _regions(self, bank: int, program: int) -> list[Region]:
        """Return the regions of a preset; raises `BadInput` where there is none, `BadFile` if damaged."""
        if (bank, program) not in self._rows:
            raise BadInput(f"{self.path.name} has no preset for program {program} in bank {bank}")
        regions = []
        try:
            for preset in self._zones(b"phdr", self._rows[bank, program], _INSTRUMENT):
                for zone in self._zones(b"inst", preset[_INSTRUMENT] & 0xFFFF, _SAMPLE):
                    region = _region(preset, zone)
                    if region is not None:
                        regions.append(region)
        except IndexError as error:
            raise BadFile(self.path, f"is damaged: preset {bank}:{program} points outside the file") from error
        return regions

    def _zones(self, table: bytes, row: int, last: int) -> list[dict[int, int]]:
        """Return the zones of a preset or instrument, global zone mixed in; ``last`` ends a real zone."""
        bags, generators = (self._tables[key] for key in ((b"pbag", b"pgen") if table == b"phdr"
                                                          else (b"ibag", b"igen")))
        first, stop = (int(self._tables[table][at]["bag"]) for at in (row, row + 1))
        common: dict[int, int] = {}
        zones = []
        for bag in range(first, stop):
            low, high = int(bags[bag]["generator"]), int(bags[bag + 1]["generator"])
            zone = {int(item["number"]): int(item["amount"]) for item in generators[low:high]}
            if last in zone:
                zones.append(common | zone)
            elif bag == first:
                common = zone
        return zones

    def _sample(self, number: int) -> Sample:
        """Return a sample; raises `BadFile` where it points outside the file."""
        headers = self._tables[b"shdr"]
        if not 0 <= number < len(headers) - 1:
            raise BadFile(self.path, f"is damaged: there is no sample {number}")
        head = headers[number]
        start, end = int(head["start"]), int(head["end"])
        # SF3: start and end are bytes of a Vorbis file, loops count from its start
        packed = bool(head["kind"] & 0x10)
        if packed:
            wave = _unpacked(self.path, bytes(self._sound[start:end]))
        else:
            whole = np.frombuffer(self._sound, "<i2", count=len(self._sound) // 2)[start:end]
            wave = whole.astype(np.float32) / np.float32(32768.0)
        if not wave.size:
            raise BadFile(self.path, f"is damaged: sample {number} is empty or outside the file")
        origin = 0 if packed else start
        loop = (int(head["loop_start"]) - origin, int(head["loop_end"]) - origin)
        root = int(head["root"]) if head["root"] <= 127 else 60
        return Sample(wave, max(int(head["rate"]), 400), loop, root, int(head["correction"]))


def open_bank(path: str | os.PathLike[str]) -> SoundBank:
    """Return the bank of a file, kept in memory for the next time; raises `BadFile` with the reason."""
    place = Path(path)
    try:
        stamp = place.stat().st_mtime_ns
    except OSError as error:
        raise BadFile(path, "there is no such file" if isinstance(error, FileNotFoundError)
                      else f"cannot be read ({error.strerror})") from error
    return _open(str(place.absolute()), stamp)


@functools.lru_cache(maxsize=2)
def _open(path: str, _stamp: int) -> SoundBank:
    return SoundBank(path)


def _content(path: Path) -> memoryview:
    try:
        return memoryview(path.read_bytes())
    except FileNotFoundError as error:
        raise BadFile(path, "there is no such file") from error
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error


def _chunks(path: Path, data: memoryview) -> dict[bytes, memoryview]:
    """Return the chunks of a RIFF file, those inside lists too, by name."""
    if len(data) == 0:
        raise BadFile(path, "is empty")
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"sfbk":
        raise BadFile(path, "is not a SoundFont (.sf2 or .sf3)")
    found: dict[bytes, memoryview] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = bytes(data[at:at + 4]), int.from_bytes(data[at + 4:at + 8], "little")
        if name == b"LIST":
            at += 12
            continue
        if at + 8 + size > len(data):
            raise BadFile(path, "is cut off: it ends before its sounds do")
        found[name] = data[at + 8:at + 8 + size]
        at += 8 + size + size % 2
    return found


def _region(preset: dict[int, int], zone: dict[int, int]) -> Region | None:
    """Combine a preset zone (added) and an instrument zone (absolute); None where ranges do not meet."""
    ranges = []
    for number in (_KEYS, _VELOCITIES):
        pairs = [(part[number] & 0xFF, part[number] >> 8 & 0xFF) for part in (preset, zone) if number in part]
        low, high = max((p[0] for p in pairs), default=0), min((p[1] for p in pairs), default=127)
        if low > high:
            return None
        ranges.append((low, high))
    values = {name: zone.get(number, default) + (0 if number in _NOT_IN_PRESETS else preset.get(number, 0))
              for number, (name, default) in GENERATORS.items()}
    return Region(zone[_SAMPLE] & 0xFFFF, ranges[0], ranges[1], values)


def _unpacked(path: Path, vorbis: bytes) -> Wave:
    import soundfile

    try:
        wave, _ = soundfile.read(io.BytesIO(vorbis), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BadFile(path, "is damaged: a compressed sample cannot be read") from error
    return np.ascontiguousarray(wave[:, 0], dtype=np.float32)
