"""The contract that every model keeps, on one page.

A model is a class with a flat, frozen `Config` dataclass. Building it stores the settings and does no work; data
comes to `fit` (or to the training loop); music comes from the abilities that are true of it. Abilities are Protocols:
a model that cannot continue a score simply has no `continue_`, and `abilities(model)` says what it has.

Arguments of abilities are keyword-only except for the music that is worked on, and mean the same everywhere:
``bars`` or ``seconds`` (length), ``seed`` (same seed, same result), ``temperature`` (1 = as learned, lower = safer),
``prompt`` (music to begin with), ``progress`` (called with a fraction done; may raise `Cancelled`).
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from componium.music.audio import Audio
from componium.music.control import Control
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.latent import Latent
from componium.music.score import Score

Arrays = dict[str, npt.NDArray[Any]]
"""Named arrays of a model's state; `checkpoint` stores them as safetensors."""

Progress = Callable[[float, str], None]
"""Called as ``progress(fraction_done, message)``; raising `componium.music.errors.Cancelled` in it stops the work."""


def silent(_fraction: float, _message: str = "") -> None:
    """A `Progress` that shows nothing."""


class Model(Protocol):
    """What every model has.

    Attributes:
        name: its line in the registry.
        Config: a frozen dataclass; every field has a default and says its unit or meaning in ``metadata["help"]``.
        needs_training: whether it has to learn before its abilities work.
        deterministic: whether a seed changes nothing.
        provenance: what it learned from (empty before training); written to and read from checkpoints.
        figures: measured numbers, each with its protocol in the name; written to and read from checkpoints.
    """

    name: ClassVar[str]
    Config: ClassVar[type]
    needs_training: ClassVar[bool]
    deterministic: ClassVar[bool]
    config: Any
    provenance: dict[str, Any]
    figures: dict[str, Any]

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return all that was learned: arrays, and JSON for the rest."""
        ...

    def load_state(self, arrays: Mapping[str, npt.NDArray[Any]], json: Mapping[str, Any]) -> None:
        """Take back what `state` returned; raises `BadInput` where it does not fit."""
        ...


@runtime_checkable
class Fits(Protocol):
    """Learns by counting or evolving, in one call."""

    def fit(self, items: Iterable[Item], *, progress: Progress = silent) -> None:
        """Learn from the items; raises `BadInput` where they hold nothing to learn from.

        A model that cannot use all of them lists the others in an attribute ``passed_over``, as (item, reason).
        """
        ...


@runtime_checkable
class Learns(Protocol):
    """Learns by gradient, in the loop of `componium.training`, which knows nothing about music.

    The loss of a batch is the mean of the losses of its examples, so that a batch may be divided among processes.

    A model with ``learns_from = "recordings"`` gets recordings, mono, at its ``sample_rate_hz``; others get scores.

    Attributes:
        network: the torch module that holds all parameters.
        trained: whether its weights were learned; the loop sets it.
    """

    network: Any
    trained: bool

    def initialise(self, seed: int) -> None:
        """Draw the weights of an untrained network anew, as a function of the seed."""
        ...

    def prepare(self, item: Item) -> Arrays:
        """Return what is learned from an item; deterministic, so that it may be cached.

        Raises `BadInput`, with the reason, for an item that cannot be learned from.
        """
        ...

    def measure(self, prepared: Sequence[Arrays]) -> None:
        """Note what composing needs to know of the whole corpus (ranges, meters ...); called once, before training."""
        ...

    def example(self, prepared: Arrays, rng: np.random.Generator | None) -> Arrays:
        """Return one training example of fixed shapes: crop and augmentation are drawn from ``rng``.

        Without a generator: the example as held-out loss is measured on, neither cropped by chance nor augmented.
        """
        ...

    def loss(self, batch: Mapping[str, Any], *, turn: str, step: int) -> tuple[Any, dict[str, Any]]:
        """Return the loss of a batch of tensors [B, ...] (scalar) and its named parts (scalars)."""
        ...

    def turns(self, step: int) -> tuple[str, ...]:
        """Return whose turns a step has, in order: ``("all",)``, or e.g. ``("discriminator", "generator")``."""
        ...

    def parameters_of(self, turn: str) -> Iterable[Any]:
        """Return the parameters that a turn changes."""
        ...

    def stage(self, step: int) -> str:
        """Return a name for what is learned now, announced when it changes; "" for none."""
        ...


@runtime_checkable
class Generates(Protocol):
    """Makes a new piece."""

    def generate(self, *, bars: int = 8, seed: int = 0, temperature: float = 1.0,
                 prompt: Score | None = None, progress: Progress = silent) -> Score:
        """Compose ``bars`` bars; a prompt is kept as the beginning and counts towards the length."""
        ...


@runtime_checkable
class GeneratesMany(Protocol):
    """Makes several pieces at once, faster than one by one."""

    def generate_many(self, *, count: int, bars: int = 8, seed: int | Sequence[int] = 0, temperature: float = 1.0,
                      prompt: Score | None = None, progress: Progress = silent) -> list[Score]:
        """Compose ``count`` different pieces; given one seed of each, those that `generate` composes with them."""
        ...


@runtime_checkable
class Continues(Protocol):
    """Goes on where a score stops."""

    def continue_(self, score: Score, *, bars: int = 8, seed: int = 0, temperature: float = 1.0,
                  progress: Progress = silent) -> Score:
        """Return the score, untouched, followed by ``bars`` new bars."""
        ...


@runtime_checkable
class Harmonizes(Protocol):
    """Adds the missing voices to those that are given."""

    def harmonize(self, score: Score, *, seed: int = 0, temperature: float = 1.0,
                  progress: Progress = silent) -> Score:
        """Return the score with all voices: the given ones as they are, the others composed."""
        ...


@runtime_checkable
class Infills(Protocol):
    """Composes a passage of a score anew."""

    def infill(self, score: Score, *, where: str, seed: int = 0, temperature: float = 1.0,
               progress: Progress = silent) -> Score:
        """Return the score with new music in the bars ``where`` (such as "3-4" or "3-4,7"); the rest is untouched."""
        ...


@runtime_checkable
class Responds(Protocol):
    """Answers a phrase, as in a duet."""

    def respond(self, phrase: Score, *, seed: int = 0, temperature: float = 1.0,
                progress: Progress = silent) -> Score:
        """Return an answer to a phrase: new music alone, which begins at beat 0, at the tempo and in the meter of the
        phrase.
        """
        ...


@dataclasses.dataclass(frozen=True)
class TokenLikelihood:
    """How surprised a model was, token by token.

    Attributes:
        nats: [T] minus the natural logarithm of the probability of each token.
        voice: [T] which voice (or stream) the token belongs to.
        step: [T] its place in time, in steps of ``1 / steps_per_beat`` quarter notes.
        onset: [T] true where the token differs from the same voice one step earlier, or is the voice's first.
        steps_per_beat: steps a quarter note.
        tokenisation: name of the vocabulary, e.g. ``"grid 16th, 4 voices"``.
        right: [T] whether the likeliest token was the one that came, where the model tells.
    """

    nats: npt.NDArray[np.float64]
    voice: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    onset: npt.NDArray[np.bool_]
    steps_per_beat: int
    tokenisation: str
    right: npt.NDArray[np.bool_] | None = None


@runtime_checkable
class Judges(Protocol):
    """Tells how likely music is under what it learned."""

    def log_likelihood(self, score: Score) -> TokenLikelihood:
        """Return the likelihood of every token; raises `BadInput` for music that it cannot represent."""
        ...


@runtime_checkable
class Plays(Protocol):
    """Turns a score into sound."""

    def play(self, score: Score, *, progress: Progress = silent) -> Audio:
        """Render the whole score, its tail included; float32 [channels, samples]."""
        ...


@runtime_checkable
class Transfers(Protocol):
    """Turns any sound into another timbre."""

    def transfer(self, audio: Audio, *, progress: Progress = silent) -> Audio:
        """Return a sound, as long as it was, with the timbre that was learned."""
        ...


class Stream(Protocol):
    """Works on sound (or curves of it) slice by slice, and gives the same as on the whole.

    A slice is a tensor [B, channels, values]; what is kept from one to the next is a dictionary of tensors of fixed
    shapes. ``forward`` is a pure function, which can be scripted and exported.

    Attributes:
        name: as in `Streams`.
        inputs, outputs: names of the channels.
        controls: the knobs, in the order of their values.
        in_ratio, out_ratio: samples of sound that a value of the input, of the output stands for.
        block_multiple: samples; a slice lasts a multiple of them.
        delay_samples: how much later than the whole it sounds.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    controls: tuple[Control, ...]
    in_ratio: int
    out_ratio: int
    block_multiple: int
    delay_samples: int

    def start(self, batch: int) -> dict[str, Any]:
        """Return the state before the first slice."""
        ...

    def forward(self, x: Any, controls: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the next slice [B, outputs, values], given values of the controls, and the state after it."""
        ...


@runtime_checkable
class Streams(Protocol):
    """Can be played live."""

    def streams(self, *, seed: int = 0) -> Mapping[str, Stream]:
        """Return the streams by name, such as ``decode`` and ``transfer``."""
        ...


@runtime_checkable
class Codes(Protocol):
    """Has a latent space: sound in, `Latent` out, and back."""

    def encode(self, audio: Audio) -> Latent:
        """Return the latent trajectory of a sound."""
        ...

    def decode(self, latent: Latent) -> Audio:
        """Return the sound of a latent trajectory."""
        ...


@runtime_checkable
class Controlled(Protocol):
    """Has knobs."""

    @property
    def controls(self) -> Sequence[Control]:
        """The knobs, in the order in which they are shown."""
        ...


ABILITIES: dict[str, tuple[str, type]] = {
    "fit": ("learns from a corpus", Fits),
    "loss": ("learns by gradient", Learns),
    "generate": ("makes a new piece", Generates),
    "generate_many": ("makes several pieces at once", GeneratesMany),
    "continue_": ("goes on where a score stops", Continues),
    "harmonize": ("adds the missing voices", Harmonizes),
    "infill": ("composes a passage anew", Infills),
    "respond": ("answers a phrase", Responds),
    "log_likelihood": ("judges how likely music is", Judges),
    "play": ("turns a score into sound", Plays),
    "transfer": ("gives any sound its timbre", Transfers),
    "streams": ("can be played live", Streams),
    "encode": ("turns sound into a latent trajectory and back", Codes),
    "controls": ("has knobs", Controlled),
}
"""Every ability: method name -> (what it does, its Protocol)."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One config field or one argument of an ability: ``key=value`` on the command line."""

    name: str
    type: str
    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    required: bool = False


@dataclasses.dataclass(frozen=True)
class Description:
    """Everything a user interface needs to know of a model; the only source for all of them."""

    name: str
    title: str
    text: str
    needs_training: bool
    deterministic: bool
    abilities: dict[str, str]
    settings: tuple[Setting, ...]
    arguments: dict[str, tuple[Setting, ...]]
    controls: tuple[Control, ...]
    provenance: dict[str, Any]
    figures: dict[str, Any]
    streams: tuple[dict[str, Any], ...] = ()


def abilities(model: Any) -> dict[str, str]:
    """Return the abilities of a model or model class: method name -> what it does."""
    return {key: text for key, (text, _) in ABILITIES.items() if hasattr(model, key)}


def settings_of(config: type) -> tuple[Setting, ...]:
    """Return the fields of a Config dataclass as settings."""
    return tuple(
        Setting(field.name, str(field.type), field.default, field.metadata.get("help", ""),
                tuple(field.metadata.get("choices", ())))
        for field in dataclasses.fields(config)
    )


def arguments_of(method: Callable[..., Any]) -> tuple[Setting, ...]:
    """Return the keyword-only arguments of an ability as settings; help comes from its docstring's ``Args:`` lines."""
    lines = (inspect.getdoc(method) or "").splitlines()
    told = {line.split(":", 1)[0].strip(): line.split(":", 1)[1].strip() for line in lines if ":" in line}
    return tuple(
        Setting(p.name, str(p.annotation), None if p.default is p.empty else p.default, told.get(p.name, ""),
                required=p.default is p.empty)
        for p in inspect.signature(method).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name != "progress"
    )


def seeds_of(seed: int | Sequence[int], count: int) -> list[int]:
    """Return one seed a piece, as `GeneratesMany` takes them: those given, or the first and those that follow it."""
    if count < 1:
        raise BadInput(f"count={count}: ask for one piece or more")
    seeds = list(range(seed, seed + count)) if isinstance(seed, int) else list(seed)
    if len(seeds) != count:
        raise BadInput(f"count={count} with {len(seeds)} seeds: give one seed of each piece")
    return seeds


def given_again(given: Mapping[str, Any], *without: str, **instead: Any) -> dict[str, Any]:
    """Return a method's ``locals()`` as arguments for another: some left out, others put in the place of some."""
    return {name: value for name, value in given.items() if name != "self" and name not in without} | instead


def _told_once(arguments: dict[str, tuple[Setting, ...]]) -> dict[str, tuple[Setting, ...]]:
    """Fill in the help of arguments that another ability of the model explains: the same name means the same."""
    told: dict[str, str] = {}
    for argument in (a for ability in arguments.values() for a in ability if a.help):
        told.setdefault(argument.name, argument.help)
    return {ability: tuple(dataclasses.replace(a, help=a.help or told.get(a.name, "")) for a in those)
            for ability, those in arguments.items()}


def describe(model: Any) -> Description:
    """Describe a model object or a model class from what it declares: settings, abilities, controls, figures."""
    cls: Any = model if isinstance(model, type) else type(model)
    text = inspect.getdoc(inspect.getmodule(cls)) or inspect.getdoc(cls) or ""
    can = abilities(cls)
    return Description(
        name=cls.name,
        title=text.split("\n", 1)[0].rstrip("."),
        text=text,
        needs_training=cls.needs_training,
        deterministic=cls.deterministic,
        abilities=can,
        settings=settings_of(cls.Config),
        arguments=_told_once({key: arguments_of(getattr(cls, key)) for key in can
                              if key not in ("controls", "fit", "loss") and callable(getattr(cls, key))}),
        controls=tuple(getattr(model, "controls", ()) if not isinstance(model, type) else ()),
        provenance=dict(getattr(model, "provenance", {})),
        figures=dict(getattr(model, "figures", {})),
        streams=tuple(_declared(stream) for stream in model.streams().values()) if _plays_live(model) else (),
    )


def _plays_live(model: Any) -> bool:
    return not isinstance(model, type) and hasattr(model, "streams") and getattr(model, "trained", True)


def _declared(stream: Stream) -> dict[str, Any]:
    """Return what a stream declares, as JSON data."""
    return {"name": stream.name, "inputs": list(stream.inputs), "outputs": list(stream.outputs),
            "in_ratio": stream.in_ratio, "out_ratio": stream.out_ratio, "block_multiple": stream.block_multiple,
            "delay_samples": stream.delay_samples, "controls": [control.name for control in stream.controls]}


def setting(default: Any, help: str, choices: Sequence[Any] = ()) -> Any:  # noqa: A002  (the word users know)
    """Declare a config field: its default, and its unit or meaning."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": tuple(choices)})
