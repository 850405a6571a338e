"""`componium transfer`: give a sound, or a folder of sounds, the timbre of an instrument."""

from __future__ import annotations

import inspect
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from componium.cli.composing import default_stem
from componium.cli.control_files import ENDING, draw_controls, read_controls, write_controls
from componium.cli.flags import Force, Model, Settings
from componium.cli.origins import given_file, given_words, model_files, origin_for, used_model
from componium.cli.outputs import PICTURES, SOUNDS, check_file, extension_of, out_path
from componium.cli.settings import load_with, pairs_only
from componium.cli.show import Progress, new_app, progress_bar, quoted, say, warn
from componium.cli.sounding import Heard, channels_of, read_mono, tell_consent, told_of
from componium.music.audio import AUDIO_EXTENSIONS, Audio
from componium.music.errors import BadFile, BadInput
from componium.music.origin import DRAWN, PERFORMED, Origin

app = new_app()

LEAST_PITCHED = 0.2
"""A sound with a smaller share of frames with a pitch is probably not for an instrument of one note at a time."""
QUIET = 0.003
"""Frames whose peak is a smaller share of the sound's are rests, and do not count."""
CEILING_DB = -1.0
"""A result that would clip is turned down so that its peak is here, dBFS."""
BYTES_A_SAMPLE, BYTES_A_FRAME = 40, 9000
"""Memory that a transfer takes at its peak, for each sample at the model's rate and for each frame; measured."""
TOLD_BYTES = 1e9


@app.command(epilog="""\b
Examples:
  componium transfer my.instrument hum.wav
  componium transfer violin hum.wav octave_shift=1 loudness_shift_db=3 --out t.wav
  componium transfer violin recordings/ --out as-violin
  componium transfer violin hum.wav --controls c.npz --picture c.png --out t.wav
  componium transfer violin c.npz --out edited.wav

\b
The instrument follows one note at a time: a voice, a whistle, a wind or bowed instrument, no chords. Of a folder all
sounds in it are taken; those that are done already are left, so that a run that was stopped can be started again.
key=value words are arguments of the model; 'componium info MODEL' lists them.""")
def transfer(
    model: Model,
    file: Annotated[Path, typer.Argument(metavar="SOUND", help="A sound, a folder of sounds, or controls (.npz).")],
    settings: Settings = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise in the sound.")] = 0,
    controls: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Also write what the instrument is told, frame by frame: .npz, to edit and give back.")]
    = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw that: .png or .svg.")] = None,
    out: Annotated[Path | None, typer.Option(
        metavar="FILE", help="The sound: .wav .flac .ogg; of a folder, a folder.  [default: SOUND-MODEL.wav]")] = None,
    force: Force = False,
) -> None:
    """Give a sound the timbre of an instrument: you hum, it plays."""
    pairs = pairs_only(settings or [], "transfer")
    check_order(model, file)
    asked = Asked(model, pairs, file, seed)
    if file.is_dir():
        from componium.cli.transfer_folder import transfer_folder

        if controls is not None or picture is not None:
            raise BadInput(f"{file} is a folder: --controls and --picture take one sound at a time")
        transfer_folder(asked, out, force=force)
        return
    path = out_path(out, f"{file.stem}-{default_stem(model)}.wav")
    extension_of(path, SOUNDS, "sound")
    beside = [(controls, (ENDING,), "controls"), (picture, PICTURES, "pictures")]
    for more, endings, what in beside:
        if more is not None:
            extension_of(more, endings, what)
    check_places([path, *(more for more, _, _ in beside if more is not None)], [file], force=force)
    ready = prepare(asked)
    tell_consent(model, ready.model)
    with progress_bar("playing") as progress:
        made = make(ready, progress, with_controls=controls is not None or picture is not None)
        write(made, ready, path)
    tell(made, file, path)
    write_beside(made, ready, controls, picture)


@dataclass(frozen=True)
class Asked:
    """All that decides how a transfer sounds.

    Attributes:
        model: MODEL.
        pairs: the ``key=value`` words.
        file: the sound, or controls.
        seed: of the noise.
    """

    model: str
    pairs: dict[str, str]
    file: Path
    seed: int = 0


@dataclass(frozen=True)
class Ready:
    """A loaded model, the arguments, and the origin of the sound that will be made."""

    asked: Asked
    model: Any
    arguments: dict[str, Any]
    origin: Origin


@dataclass(frozen=True)
class Made:
    """A sound, its controls where they were asked for, and what is to be said of it.

    Attributes:
        sound: the result.
        controls: `SoundControls`, or none.
        seconds: how long the work took.
        channels: of the file that was heard; 0 for controls.
        remarks: warnings.
    """

    sound: Audio
    controls: Any
    seconds: float
    channels: int
    remarks: tuple[str, ...]


# before the work

def check_order(model: str, file: Path) -> None:
    """Raise `BadInput` where MODEL is a sound, as in ``transfer hum.wav violin``, or SOUND is none, but a score."""
    from componium.music.formats import is_score_path

    default_stem(model)
    sounds = (*AUDIO_EXTENSIONS, ENDING)
    if Path(model).suffix.lower() in sounds and Path(model).is_file():
        meant = "MODEL" if file.suffix.lower() in sounds else str(file)
        raise BadInput(f"{model} is a sound: the model comes first: componium transfer {quoted(meant)} {quoted(model)}")
    if not file.exists():
        raise BadFile(file, "there is no such file or folder")
    if is_score_path(file) and file.is_file():
        raise BadInput(f"{file} is a score, not a sound: componium perform {quoted(file)} --with {quoted(model)} plays "
                       "it")


def check_places(paths: Sequence[Path], given: Sequence[Path], *, force: bool) -> None:
    """Raise `BadFile` where a result cannot be written, or would replace what was given, whatever ``force`` says."""
    known = {identity(path) for path in given}
    places = [os.path.realpath(path) for path in paths]
    for path, place in zip(paths, places, strict=True):
        if path.exists() and identity(path) in known:
            raise BadFile(path, "is what was given, and is never replaced; --out NAME writes another file")
        if places.count(place) > 1:
            raise BadFile(path, "is named for two things to write; give each a name of its own")
        check_file(path, force=force)


def identity(path: Path) -> tuple[int, int]:
    """Return what tells a file from every other, whatever names and links lead to it."""
    found = path.stat()
    return found.st_dev, found.st_ino


def prepare(asked: Asked, loaded: tuple[Any, dict[str, Any]] | None = None) -> Ready:
    """Load the model, unless it is ``loaded`` with its arguments, and note the origin.

    Raises:
        BadInput: no such model, it cannot transfer, or a word belongs to nobody.
        BadFile: the file cannot be read.
    """
    model, arguments = loaded or load_with(asked.model, asked.pairs, "transfer", "transfer")
    role = "controls" if asked.file.suffix.lower() == ENDING else "sound"
    if role == "controls":
        needs_controls(model)
        wrong = [word for word in asked.pairs if word != "reverb"]
        if wrong:
            raise BadInput(f"{wrong[0]}={asked.pairs[wrong[0]]}: controls are played as they are; only reverb= is left")
    origin = origin_for(PERFORMED, "transfer", [used_model(asked.model, model)], seed=asked.seed,
                        settings={"words": asked.pairs},
                        given=[*model_files(asked.model), given_file(role, asked.file), *given_words(asked.pairs)])
    return Ready(asked, model, arguments, replace(origin, title=asked.file.stem,
                                                  platform=f"{platform.system()} {platform.machine()}"))


def needs_controls(model: Any) -> None:
    """Raise `BadInput` where a model has no controls that can be taken out."""
    if model.name != "ddsp":
        raise BadInput(f"the model {model.name} has no controls to take out or put back (ddsp has)")


# the work

def make(ready: Ready, progress: Progress, *, with_controls: bool = False) -> Made:
    """Return the sound; the same for the same `Asked`, whoever asks.

    Raises:
        BadFile: the file cannot be read, is silent, or holds controls of another model.
        BadInput: an argument is out of its range.
    """
    if with_controls:
        needs_controls(ready.model)
    played = _put_back if ready.asked.file.suffix.lower() == ENDING else _taken_over
    made = played(ready, progress, with_controls)
    if made.sound.peak_db <= 0.0:
        return made
    down = CEILING_DB - made.sound.peak_db
    told = f"it would have clipped ({made.sound.peak_db:+.1f} dBFS) and was turned down by {-down:.1f} dB"
    return replace(made, sound=made.sound.gain(down), remarks=(*made.remarks, told))


def _put_back(ready: Ready, progress: Progress, _: bool) -> Made:
    """Return the sound of controls."""
    from componium.instruments.ddsp.sound_controls import sound_of_controls

    controls, begun = read_controls(ready.asked.file), time.perf_counter()
    try:
        sound = sound_of_controls(ready.model, controls, seed=ready.asked.seed, progress=progress, **ready.arguments)
    except BadInput as error:
        raise BadFile(ready.asked.file, str(error)) from error
    return Made(sound, controls, time.perf_counter() - begun, 0, ())


def _taken_over(ready: Ready, progress: Progress, with_controls: bool) -> Made:
    """Return a sound with another timbre."""
    heard = read_mono(ready.asked.file)
    tell_memory(ready, heard)
    begun, model, controls, pitched = time.perf_counter(), ready.model, None, 1.0
    seed = {"seed": ready.asked.seed} if "seed" in inspect.signature(model.transfer).parameters else {}
    if model.name == "ddsp":
        from componium.instruments.ddsp.sound_controls import controls_of, transferred

        sound, curves, lead = transferred(model, heard.audio, progress=progress, **seed, **ready.arguments)
        sure = curves.confidence[lead:] >= ready.arguments.get("confidence_threshold", 0.5)
        pitched = share_in_sound(sure, heard.audio)
        controls = controls_of(model, curves, lead=lead) if with_controls else None
    else:
        sound = model.transfer(heard.audio, progress=progress, **seed, **ready.arguments)
    return Made(sound, controls, time.perf_counter() - begun, heard.channels, tuple(remarks_on(heard, pitched)))


def share_in_sound(frames: Any, audio: Audio) -> float:
    """Return the share of true frames [F] among those in which there is sound; rests do not count."""
    level, count = np.abs(audio.samples[0]), len(frames)
    starts = np.minimum(np.arange(count) * len(level) // count, len(level) - 1)
    sounding = np.maximum.reduceat(level, starts) > QUIET * level.max()
    return float(frames[sounding].mean())


def remarks_on(heard: Heard, pitched: float) -> list[str]:
    """Return what is to be said of a sound that was heard."""
    found = []
    if heard.clipped_samples:
        found.append(f"it clips: {heard.clipped_samples:,} samples are cut off at full scale, which is heard as noise")
    if pitched < LEAST_PITCHED:
        found.append(f"mostly without a pitch ({pitched:.0%} of it has one): drums, chords or noise? transfer follows "
                     "one note at a time")
    return found


def tell_memory(ready: Ready, heard: Heard) -> None:
    """Say how much memory a long sound will take: a model hears it as a whole."""
    rate = getattr(ready.model, "sample_rate_hz", heard.audio.sample_rate_hz)
    hop = getattr(ready.model.config, "hop_samples", rate)
    needed, free = heard.audio.seconds * rate * (BYTES_A_SAMPLE + BYTES_A_FRAME / hop), free_bytes()
    if needed < TOLD_BYTES:
        return
    say(f"{ready.asked.file}: {heard.audio.seconds / 60:.0f} minutes are heard as a whole, which takes about "
        f"{needed / 1e9:.0f} GB of memory")
    if free is not None and needed > free:
        warn(f"{free / 1e9:.0f} GB are free here: cut {ready.asked.file} into parts and give the folder with them")


def free_bytes() -> int | None:
    """Return how much memory is free; none where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024
    except (OSError, ValueError, StopIteration):
        return None


# after it

def write(made: Made, ready: Ready, path: Path) -> None:
    """Write the sound with its title and its origin."""
    made.sound.write(path, metadata={"title": ready.origin.title, "software": "Componium"}, origin=ready.origin)


def tell(made: Made, file: Path, path: Path, *, told_channels: bool = False) -> None:
    """Say what was written, how fast, and what is to be said of the sound that was given."""
    say(f"wrote {path}: {told_of(made.sound)}, {made.sound.seconds / max(made.seconds, 1e-9):.0f} times real time")
    if made.channels > 1 and not told_channels:
        say(f"{file}: {channels_of(made.channels)} was mixed to mono")
    for remark in made.remarks:
        warn(f"{file}: {remark}")


def write_beside(made: Made, ready: Ready, controls: Path | None, picture: Path | None) -> None:
    """Write the controls and their picture, where they were asked for."""
    if controls is not None:
        write_controls(made.controls, controls, ready.origin)
        say(f"wrote {controls}: {len(made.controls)} frames, {made.controls.frame_rate_hz:g} a second; back: componium "
            f"transfer {quoted(ready.asked.model)} {quoted(controls)}")
    if picture is not None:
        draw(made, ready, picture, ready.origin)
        say(f"wrote {picture}")


def draw(made: Made, ready: Ready, path: Path, origin: Origin) -> None:
    """Draw the controls into a file."""
    title = f"{ready.asked.file.stem}, as {default_stem(ready.asked.model)} plays it"
    draw_controls(made.controls, title=title, kind=path.suffix.lower(), path=path, origin=replace(origin, made=DRAWN))
