"""Performing: a score and an instrument for each part become one sound."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import numpy.typing as npt

from componium import registry
from componium.interface import Plays, Progress, silent
from componium.music.audio import Audio
from componium.music.errors import BadInput, ComponiumError
from componium.music.expression import expression as shaped
from componium.music.general_midi import program_of
from componium.music.loudness import normalising_gain
from componium.music.origin import Origin
from componium.music.score import Score, Track, copy_score

PEAK_CEILING_DB = -1.0
"""No sample of a performance is above this, dBFS."""
SPREAD = 0.6
"""How far left and right the outer parts sit with ``pans="spread"``."""

GENERAL_MIDI = "soundfont:"
"""Before the name of an instrument of General MIDI, where a model has the same name: ``"soundfont:violin"``."""

SEEDS_A_PART = 64
"""Seeds of parts lie so far apart that no two of their lines have the same chance."""

Key = str | int
"""A part's name, its number from 0, ``"program:40"``, or ``"*"`` for the parts that are left."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A track with notes.

    Attributes:
        index: its number among the tracks with notes, from 0.
        name: its name; ``"part 1"`` and so on where it has none.
        program: its General MIDI program, ``"drums"`` for drums.
        track: the track itself.
    """

    index: int
    name: str
    program: int | str
    track: Track


def parts_of(score: Score) -> list[Part]:
    """Return the parts of a score: its tracks with notes; raises `BadInput` where there are none."""
    tracks = [track for track in score.tracks if len(track.notes)]
    if not tracks:
        raise BadInput("the score has no notes to perform")
    return [Part(index, track.name.strip() or f"part {index + 1}", "drums" if track.is_drum else track.program, track)
            for index, track in enumerate(tracks)]


def perform(score: Score, instruments: Plays | Mapping[Key, Plays], *,
            gains_db: Mapping[Key, float] | Sequence[float] | None = None,
            pans: Mapping[Key, float] | Sequence[float] | str | None = None,
            lufs: float | None = -16.0, expression: bool = True, tail_seconds: float | None = None,
            sample_rate_hz: int = 44100, stems_to: str | os.PathLike[str] | None = None, seed: int = 0,
            arguments: Mapping[str, Any] | None = None, progress: Progress = silent,
            origin: Origin | None = None) -> Audio:
    """Play each part of a score with its instrument and mix them, in stereo.

    Args:
        score: the music.
        instruments: one instrument for all parts, or one for each `Key`; a name goes before a number, a
            number before a program, a program before ``"*"``.
        gains_db: gain of each part, by `Key` or in order.
        pans: place of each part from -1 (left) to 1 (right), by `Key` or in order; ``"spread"`` sets them
            side by side; none = as the instruments play.
        lufs: loudness of the mix (ITU-R BS.1770); none = as it comes, turned down only where it would clip.
        expression: whether phrases, fermatas, timing and the end are shaped (`music.expression`) or played as
            written.
        tail_seconds: longest sound kept after the last note, faded out; none = all of it.
        sample_rate_hz: rate of the result; instruments with another rate are resampled.
        stems_to: folder for ``01_soprano.wav``, ``02_alto.wav`` ... and ``mix.wav``: 24 bits, all of one
            length. The stems carry the gains, pans, normalisation and limiting of the mix: added up, they are
            the mix.
        seed: of the expression, and of instruments that use chance.
        arguments: of `play`, such as ``{"vibrato_cents": 20}``: each goes to all instruments that have it.
        progress: told what is being played.
        origin: what makes it, written into the stems; none = not recorded.

    Returns:
        Stereo sound, no sample above `PEAK_CEILING_DB`; silence stays silence.

    Raises:
        BadInput: no notes, a `Key` that names no part, a part without instrument, an amount outside its
            range, an argument that no instrument has.
    """
    parts = parts_of(score)
    players = _players(parts, instruments)
    for name in arguments or {}:
        if not any(name in inspect.signature(player.play).parameters for player in players):
            raise BadInput(f"no instrument has an argument {name!r} of play")
    gains, places = _amounts(parts, gains_db, "gains_db", 0.0), _pans(parts, pans)
    _check(gains, lufs, tail_seconds)
    played = shaped(score, seed=seed) if expression else score
    stems = []
    for part, track in zip(parts, (t for t in played.tracks if len(t.notes)), strict=True):
        progress(part.index / (len(parts) + 1), f"playing {part.name}")
        sound = _rendered(players[part.index], _alone(played, track), part, len(parts) + 1, progress,
                          {**(arguments or {}), "seed": seed + SEEDS_A_PART * part.index})
        sound = sound.resample(sample_rate_hz).to_stereo(places[part.index] or 0.0)
        stems.append(sound.gain(gains[part.index]).samples)
    progress(len(parts) / (len(parts) + 1), "mixing")
    stems, mixed = _mixed(stems, _longest(played, tail_seconds), sample_rate_hz, lufs)
    if stems_to is not None:
        _write_stems(Path(stems_to), parts, stems, mixed, sample_rate_hz, origin or Origin())
    progress(1.0, "done")
    return Audio(mixed, sample_rate_hz)


@dataclasses.dataclass(frozen=True)
class Cast:
    """Who plays, and how.

    Attributes:
        instruments: for `perform`.
        arguments: of their `play`, for `perform`.
        remarks: sentences on names that could have meant something else.
    """

    instruments: dict[Key, Plays]
    arguments: dict[str, Any]
    remarks: tuple[str, ...] = ()


def parse_with(choices: Sequence[str]) -> dict[Key, Plays]:
    """Turn ``MODEL``, ``PART=MODEL`` or ``PART=violin`` (General MIDI) into instruments for `perform`; see `cast`."""
    return cast(choices).instruments


def cast(choices: Sequence[str], words: Mapping[str, Any] | None = None) -> Cast:
    """Find the instruments that are named, and give each word to those that have it.

    Args:
        choices: as given on the command line, e.g. ``["soundfont"]`` or ``["soprano=flute", "*=organ"]``.
        words: config fields of instruments that need no training, or arguments of `play`.

    Raises:
        BadInput: neither a model nor an instrument of that name; a part named twice; a model that does not
            play; a word that no instrument has.
    """
    words, names = words or {}, _names(choices)
    sought = {key: _sought(name) for key, name in names.items()}
    known: dict[str, Any] = {}
    players = Cast({}, {})
    for key, (kind, fixed) in sought.items():
        untrained, played, owner = isinstance(kind, type), _arguments(kind), f"the model {kind.name}"
        settings = registry.types_of(kind.Config) if untrained else {}
        own = registry.read_settings({word: words[word] for word in words if word in settings}, settings, owner)
        players.instruments[key] = kind(kind.Config(**own | fixed)) if untrained else kind
        own = {word: words[word] for word in words if word in played and word not in settings}
        players.arguments.update(registry.read_settings(own, played, owner))
        known |= settings | played
    models = list(dict.fromkeys(kind.name for kind, _ in sought.values()))
    registry.read_settings({word: words[word] for word in words if word not in known}, known,
                           f"the model {models[0]}" if len(models) == 1 else f"none of {', '.join(models)}")
    remarks = dict.fromkeys(_remark(name) for name in names.values())
    return dataclasses.replace(players, remarks=tuple(remark for remark in remarks if remark))


def _names(choices: Sequence[str]) -> dict[Key, str]:
    """Return the name of an instrument for each `Key`."""
    names: dict[Key, str] = {}
    for choice in choices:
        key, separator, name = choice.rpartition("=")
        key = key.strip() if separator else "*"
        if not key or not name.strip():
            raise BadInput(f"{choice!r} is not an instrument: write MODEL or PART=MODEL, e.g. soprano=violin")
        if key.lower() in (str(known).lower() for known in names):
            raise BadInput(f"two instruments are named for {'all parts' if key == '*' else key}")
        names[key] = name.strip()
    return names


def _sought(name: str) -> tuple[Any, dict[str, Any]]:
    """Return the class of an instrument with the settings that its name stands for, or a trained model and none."""
    fixed: dict[str, Any] = {}
    if _is_model(name):
        found = registry.resolve(name)
        kind = registry.model_class(found.target) if found.kind == "registry" else registry.load(name)
    else:
        try:
            fixed = {"program": program_of(name.removeprefix(GENERAL_MIDI))}
        except ComponiumError as error:
            raise BadInput(f"no model is called {name!r}, and {error}") from error
        kind = registry.model_class("soundfont")
    if not callable(getattr(kind, "play", None)):
        raise BadInput(f"{name} does not play scores: choose an instrument, such as soundfont")
    return kind, fixed


def _is_model(name: str) -> bool:
    """Tell whether a name is a MODEL, and not an instrument of General MIDI."""
    is_path = any(Path(folder, "model.json").is_file() for folder in (name, name.rpartition("@")[0] or "?"))
    known = is_path or re.search(r"[/\\:]", name) or name in [*registry.models(), *registry.shipped()]
    return bool(known) and not name.startswith(GENERAL_MIDI) and not _out_of_reach(name)


def _out_of_reach(name: str) -> bool:
    """Tell whether a shipped instrument has to be left to General MIDI, which has it too: networks need torch."""
    return (name in registry.shipped() and name not in registry.models() and _in_general_midi(name)
            and importlib.util.find_spec("torch") is None)


def _in_general_midi(name: str) -> bool:
    try:
        program_of(name)
    except ComponiumError:
        return False
    return True


def _remark(name: str) -> str:
    """Return a sentence where a model was taken whose name is also an instrument of General MIDI."""
    if _out_of_reach(name):
        return (f"{name}: the General MIDI sound was taken; the instrument of that name that comes with Componium "
                "needs pip install 'componium[neural]'")
    if not _is_model(name):
        return ""
    found = registry.resolve(name)
    if not _in_general_midi(name):
        return found.note
    what = "instrument that comes with Componium" if found.kind == "shipped" else found.kind
    return f"{name}: the {what} was taken; {GENERAL_MIDI}{name} is the General MIDI sound of that name"


def _arguments(kind: Any) -> dict[str, Any]:
    """Return the arguments of `play` that are an instrument's own, with their types."""
    hints = get_type_hints(kind.play)
    return {name: hints.get(name, Any) for name, parameter in inspect.signature(kind.play).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in ("seed", "progress")}


def advice(score: Score, players: Cast) -> list[str]:
    """Return what the instruments have to say on their parts, such as notes that they did not learn."""
    parts, told = parts_of(score), []
    for part, player in zip(parts, _players(parts, players.instruments), strict=True):
        advise = getattr(player, "advice", None)
        text = "" if advise is None or part.track.is_drum else advise(_alone(score, part.track))
        if text and not any(f"{word}={value}".lower() in text for word, value in players.arguments.items()):
            told.append(f"{part.name}: {text}")
    return told


def _matches(part: Part, key: Key) -> int:
    """Return how exactly a key names a part: 3 by name, 2 by number, 1 by program, 0 not at all."""
    text = str(key).strip().lower()
    if isinstance(key, str) and text == part.name.lower():
        return 3
    if text == str(part.index):
        return 2
    return 1 if text.removeprefix("program:").strip() == str(part.program) and text.startswith("program:") else 0


def _by_part(parts: Sequence[Part], chosen: Mapping[Key, Any], what: str) -> dict[int, Any]:
    """Return the value for each part index that a key names; raises `BadInput` for a key that names none."""
    for key in chosen:
        if key != "*" and not any(_matches(part, key) for part in parts):
            listed = ", ".join(f"{part.index} {part.name} (program {part.program})" for part in parts)
            raise BadInput(f"{what}: the score has no part {key!r}; its parts are: {listed}")
    found = {}
    for part in parts:
        best = max(chosen, key=lambda key: _matches(part, key), default="*")
        if best in chosen and _matches(part, best):
            found[part.index] = chosen[best]
        elif "*" in chosen:
            found[part.index] = chosen["*"]
    return found


def _players(parts: Sequence[Part], instruments: Plays | Mapping[Key, Plays]) -> list[Plays]:
    if not isinstance(instruments, Mapping):
        instruments = {"*": instruments}
    for key, player in instruments.items():
        if not callable(getattr(player, "play", None)):
            raise BadInput(f"the instrument for {key!r} cannot play scores ({type(player).__name__} has no play)")
    found = _by_part(parts, instruments, "instruments")
    for part in parts:
        if part.index not in found:
            raise BadInput(f"no instrument is chosen for part {part.index} {part.name}; '*' names one for the rest")
    return [found[part.index] for part in parts]


def _amounts(parts: Sequence[Part], amounts: Mapping[Key, float] | Sequence[float] | None, what: str,
             default: float) -> list[float]:
    if amounts is None:
        return [default] * len(parts)
    if isinstance(amounts, Mapping):
        found = _by_part(parts, amounts, what)
        return [float(found.get(part.index, default)) for part in parts]
    if len(amounts) != len(parts):
        raise BadInput(f"{what}: {len(amounts)} values for {len(parts)} parts")
    return [float(amount) for amount in amounts]


def _pans(parts: Sequence[Part], pans: Mapping[Key, float] | Sequence[float] | str | None) -> list[float]:
    if isinstance(pans, str):
        if pans != "spread":
            raise BadInput(f"pans are numbers from -1 to 1 or 'spread', not {pans!r}")
        pans = [float(place) for place in np.linspace(-SPREAD, SPREAD, len(parts))] if len(parts) > 1 else [0.0]
    places = _amounts(parts, pans, "pans", 0.0)
    for part, place in zip(parts, places, strict=True):
        if not -1.0 <= place <= 1.0:
            raise BadInput(f"pans: {part.name} is between -1 (left) and 1 (right), not {place}")
    return places


def _check(gains: Sequence[float], lufs: float | None, tail_seconds: float | None) -> None:
    if not all(gain <= 60.0 for gain in gains):
        raise BadInput("gains_db are numbers up to 60 dB")
    if lufs is not None and not -70.0 < lufs <= 0.0:
        raise BadInput(f"lufs is between -70 and 0, not {lufs}")
    if tail_seconds is not None and not tail_seconds >= 0.0:
        raise BadInput(f"tail_seconds is 0 or more, not {tail_seconds}")


def _alone(score: Score, track: Track) -> Score:
    solo = copy_score(score)
    solo.tracks = type(score.tracks)([track.copy()])
    return solo


def _rendered(player: Plays, solo: Score, part: Part, total: int, progress: Progress,
              arguments: Mapping[str, Any]) -> Audio:
    def inner(fraction: float, message: str = "") -> None:
        progress((part.index + fraction) / total, message)

    known = inspect.signature(player.play).parameters
    try:
        return player.play(solo, progress=inner, **{key: value for key, value in arguments.items() if key in known})
    except BadInput as error:
        if part.program != "drums":
            raise
        raise BadInput(f"{part.name}: {error} (these are drums, which another instrument may have to play)") from error


def _longest(score: Score, tail_seconds: float | None) -> float | None:
    if tail_seconds is None:
        return None
    ends: Any = score.to("second")
    return max(float(note.end) for track in ends.tracks for note in track.notes) + tail_seconds


def _mixed(stems: list[npt.NDArray[np.float32]], longest_seconds: float | None, rate: int,
           lufs: float | None) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Align the stems, bring their sum to its loudness, and return both at their final levels."""
    count = max(stem.shape[1] for stem in stems)
    if longest_seconds is not None:
        count = min(count, round(longest_seconds * rate))
    aligned = [np.zeros((2, count), dtype=np.float32) for _ in stems]
    for place, stem in zip(aligned, stems, strict=True):
        place[:, :stem.shape[1]] = stem[:, :count]
    if longest_seconds is not None:
        aligned = [Audio(stem, rate).fade(0.0, 0.05).samples for stem in aligned]
    total = np.zeros_like(aligned[0])
    for stem in aligned:
        total += stem
    ceiling = 10.0 ** (PEAK_CEILING_DB / 20.0)
    if lufs is None:
        gain = np.array([min(1.0, ceiling / max(float(np.max(np.abs(total), initial=0.0)), 1e-12))])
    else:
        gain = normalising_gain(total, rate, lufs=lufs, peak_ceiling_db=PEAK_CEILING_DB)
    gain = gain.astype(np.float32)
    aligned = [stem * gain for stem in aligned]
    loudest = max(float(np.max(np.abs(stem), initial=0.0)) for stem in aligned)
    if loudest > 1.0:  # parts that cancel in the mix: everything steps back so that no stem clips
        aligned, gain = [stem / np.float32(loudest) for stem in aligned], gain / loudest
    return aligned, np.clip(total * gain, -ceiling, ceiling, dtype=np.float32)


def _write_stems(folder: Path, parts: Sequence[Part], stems: Sequence[npt.NDArray[np.float32]],
                 mixed: npt.NDArray[np.float32], rate: int, origin: Origin) -> None:
    named: list[tuple[str, dict[str, str], npt.NDArray[np.float32]]] = []
    for part, stem in zip(parts, stems, strict=True):
        name = re.sub(r"\W+", "_", part.name.lower()).strip("_")[:60] or "part"
        named.append((f"{part.index + 1:02d}_{name}", {"title": part.name}, stem))
    for name, metadata, stem in [*named, ("mix", {}, mixed)]:
        whose = dataclasses.replace(origin, settings={**origin.settings, "stem": name})
        Audio(stem, rate).write(folder / f"{name}.wav", bits=24, metadata=metadata, origin=whose)
