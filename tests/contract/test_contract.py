"""One suite for every model: what `componium.interface` promises, checked."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from componium import checkpoint, registry
from componium.interface import ABILITIES, abilities, describe, settings_of
from componium.music.audio import Audio, silence
from componium.music.errors import BadInput, Cancelled, ComponiumError
from componium.music.item import Item
from componium.music.score import Score, bar_beats, bars, length_beats, meter, tempo_bpm
from componium.training.observing import Observer

HEADINGS = ("Idea", "Paper", "Learns from", "Good and bad at", "Trains and generates", "Size and speed")
"""The six parts of a model's docstring, each at the start of a line."""
NOT_OUR_WORDS = {"length", "num_bars", "n_bars", "duration", "random_state", "random_seed", "rng", "temp", "primer",
                 "n_samples", "num", "n", "callback", "verbose", "on_progress", "prime"}
"""Names of arguments that mean what `bars`, `seconds`, `seed`, `temperature`, `prompt`, `count` or `progress` mean."""
WORKED_ON = {"score", "audio", "latent", "items", "phrase", "x", "batch"}
PIECE_BARS = 4


def notes_of(score: Score) -> list[tuple[str, int, bool, float, float, int, int]]:
    """Return every note with its track's name, program and kind."""
    return [(track.name, track.program, track.is_drum, note.time, note.duration, note.pitch, note.velocity)
            for track in score.tracks for note in track.notes]


def content_of(score: Score) -> tuple[Any, ...]:
    """Return all that makes a score what it is."""
    return (notes_of(score), [(e.time, e.mspq) for e in score.tempos],
            [(e.time, e.numerator, e.denominator) for e in score.time_signatures],
            [(e.time, e.key, e.tonality) for e in score.key_signatures],
            [(e.time, e.text) for e in score.markers])


def check_score(score: Score, *, bar_count: int | None = None) -> None:
    """Assert that a score is valid, and has so many bars."""
    found = notes_of(score)
    assert found, "a piece has notes"
    for _, program, _, start_beats, beats, pitch, velocity in found:
        assert math.isfinite(start_beats) and math.isfinite(beats)
        assert start_beats >= 0 and beats > 0
        assert 0 <= pitch <= 127 and 1 <= velocity <= 127 and 0 <= program <= 127
    if bar_count is not None:
        heard = bars(score)
        assert heard[-1].index == bar_count
        assert length_beats(score) <= heard[-1].end_beats + 1e-3


def check_audio(audio: Audio) -> None:
    """Assert that a sound is valid."""
    assert audio.samples.dtype == np.float32 and audio.samples.ndim == 2 and audio.channels in (1, 2)
    assert np.isfinite(audio.samples).all()
    assert 8000 <= audio.sample_rate_hz <= 192_000


def learns_from_sound(cls: Any) -> bool:
    """Return whether a model learns from recordings instead of scores."""
    return getattr(cls, "learns_from", "scores") == "recordings"


def state_of(model: Any) -> tuple[dict[str, Any], Any]:
    """Return the state in a form that can be compared."""
    arrays, told = model.state()
    return {key: (value.dtype.str, value.shape, value.tobytes()) for key, value in arrays.items()}, told


def parameters(method: Any) -> dict[str, inspect.Parameter]:
    """Return the arguments of a method of a class, without self."""
    found = dict(inspect.signature(method).parameters)
    found.pop("self", None)
    return found


def cancelling(_fraction: float, _message: str = "") -> None:
    raise Cancelled("stopped")


# what it says of itself


def test_builds_with_defaults(fresh: Any, cls: Any) -> None:
    assert fresh.config == cls.Config() and cls().config == cls.Config()
    assert fresh.provenance == {} and fresh.figures == {}


def test_attributes_agree_with_the_registry(name: str, cls: Any) -> None:
    assert cls.name == name
    assert cls.needs_training is (name in registry.NEEDS_TRAINING)
    assert isinstance(cls.deterministic, bool)
    assert registry.TITLES[name] and "\n" not in registry.TITLES[name]
    assert cls.needs_training <= (hasattr(cls, "fit") or hasattr(cls, "loss"))
    assert not (hasattr(cls, "fit") and hasattr(cls, "loss")), "it learns in one way"


def test_settings_are_flat_frozen_and_explained(cls: Any) -> None:
    assert dataclasses.is_dataclass(cls.Config) and cls.Config.__dataclass_params__.frozen
    assert cls.Config.__name__ == f"{cls.__name__}Config"
    for told in settings_of(cls.Config):
        assert told.default is not dataclasses.MISSING, f"{told.name} has no default"
        assert len(told.help) >= 8, f"{told.name} has no help"
        assert isinstance(told.default, int | float | str | bool | tuple | None), told.name
        assert not told.choices or told.default in told.choices


def test_config_survives_json(cls: Any) -> None:
    stored = json.loads(json.dumps(dataclasses.asdict(cls.Config())))
    stored = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    values = registry.read_settings(stored, registry.types_of(cls.Config), cls.name)
    assert cls.Config(**values) == cls.Config()


def test_settings_can_be_written_as_text(cls: Any) -> None:
    plain = {told.name: told.default for told in settings_of(cls.Config) if not isinstance(told.default, tuple)}
    text = {key: "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in plain.items()}
    values = registry.read_settings(text, registry.types_of(cls.Config), cls.name)
    assert {key: values[key] for key in plain} == plain


def test_unknown_setting_is_named(name: str) -> None:
    with pytest.raises(BadInput, match="no setting 'no_such_thing'"):
        registry.create(name, no_such_thing=1)


def test_docstring_has_its_six_parts(cls: Any) -> None:
    text = inspect.getdoc(inspect.getmodule(cls)) or ""
    title, _, rest = text.partition("\n")
    assert title.endswith(".") and rest.startswith("\n"), "the first line is the title, a sentence"
    found = re.findall(rf"^({'|'.join(HEADINGS)}): *(\S.*(?:\n.+)*)", rest, flags=re.MULTILINE)
    assert tuple(heading for heading, _ in found) == HEADINGS
    assert all(len(part) >= 8 for _, part in found)


def test_description_is_complete_and_json(model: Any, cls: Any) -> None:
    for thing in (model, cls):
        told = describe(thing)
        assert json.loads(json.dumps(dataclasses.asdict(told)))["name"] == cls.name
        assert told.title and told.text and told.abilities == abilities(cls)
        assert [s.name for s in told.settings] == [f.name for f in dataclasses.fields(cls.Config)]
        for ability, arguments in told.arguments.items():
            for argument in arguments:
                assert argument.help, f"{ability}: the argument {argument.name} has no line under Args"


def test_there_is_something_that_it_can_do(cls: Any) -> None:
    assert set(abilities(cls)) - {"fit", "loss", "controls"}
    assert all(inspect.getdoc(getattr(cls, key)) for key in abilities(cls))


def test_arguments_are_keyword_only_with_the_standard_names(cls: Any) -> None:
    for key in set(abilities(cls)) - {"controls"}:
        found = parameters(getattr(cls, key))
        protocol = parameters(getattr(ABILITIES[key][1], key))
        for position, (word, parameter) in enumerate(found.items()):
            assert word not in NOT_OUR_WORDS, f"{key}({word}=) has another name here"
            if word in WORKED_ON and position == 0:
                continue
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{key}({word}) is not keyword-only"
        missing = {word for word in protocol if word not in found} - {"seconds" if "seconds" in found else "bars"}
        missing -= {"temperature", "prompt"}  # where they would mean nothing
        assert not missing - ({"seed"} if cls.deterministic else set()), f"{key} lacks {missing}"


# learning and state


@pytest.mark.learns
def test_untrained_says_that_it_has_to_be_trained(fresh: Any, cls: Any, chorales: list[Item]) -> None:
    piece = chorales[0].content
    calls = {"generate": lambda: fresh.generate(bars=1), "play": lambda: fresh.play(piece),
             "continue_": lambda: fresh.continue_(piece, bars=1),
             "harmonize": lambda: fresh.harmonize(melody_of(piece)), "infill": lambda: fresh.infill(piece, where="2"),
             "respond": lambda: fresh.respond(melody_of(piece)), "log_likelihood": lambda: fresh.log_likelihood(piece)}
    for key in set(calls) & set(abilities(cls)):
        with pytest.raises(BadInput, match="trained"):
            calls[key]()


@pytest.mark.learns
def test_learning_twice_is_the_same(pupil: Any, learn: Any, model: Any, material: list[Item]) -> None:
    learn(pupil, material)
    assert state_of(pupil) == state_of(model)
    if hasattr(pupil, "fit"):
        pupil.fit(material)
        assert state_of(pupil) == state_of(model), "fit starts anew"


class Listening(Observer):
    """Keeps the losses of a run."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def stepped(self, report: Any) -> None:
        self.losses.append(report.loss)


@pytest.mark.needs("loss")
def test_loss_falls_and_another_seed_is_another_network(pupil: Any, learn: Any, model: Any,
                                                        material: list[Item]) -> None:
    heard = Listening()
    learn(pupil, material, seed=1, observers=[heard])
    assert all(math.isfinite(loss) for loss in heard.losses)
    assert np.mean(heard.losses[-5:]) < 0.8 * np.mean(heard.losses[:5])
    assert state_of(pupil) != state_of(model)


@pytest.mark.needs("loss")
def test_loss_is_the_mean_over_its_examples(model: Any, material: list[Item]) -> None:
    import torch

    rng = np.random.default_rng(0)
    examples = [model.example(model.prepare(item), rng) for item in material[:2]]
    assert all(one.keys() == examples[0].keys() for one in examples)

    def loss(*those: dict[str, Any]) -> float:
        batch = {key: torch.from_numpy(np.stack([one[key] for one in those])) for key in those[0]}
        with torch.no_grad():
            whole, parts = model.loss(batch, turn=model.turns(0)[-1], step=0)
        assert whole.shape == () and all(torch.as_tensor(part).numel() == 1 for part in parts.values())
        return float(whole)

    model.network.eval()
    alone = [loss(one) for one in examples]
    assert loss(*examples) == pytest.approx(sum(alone) / 2, rel=1e-4), "so that a batch may be divided"


@pytest.mark.needs("loss")
def test_preparing_is_deterministic_and_examples_have_one_shape(pupil: Any, material: list[Item]) -> None:
    one, other = pupil.prepare(material[0]), pupil.prepare(material[0])
    assert one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)
    shapes = set()
    for item in material:
        prepared = pupil.prepare(item)
        drawn = [pupil.example(prepared, np.random.default_rng(seed)) for seed in (1, 1, 2)]
        assert all(np.array_equal(drawn[0][key], drawn[1][key]) for key in drawn[0])
        shapes |= {tuple((key, made[key].shape, made[key].dtype.str) for key in sorted(made)) for made in drawn}
        held = [pupil.example(prepared, None) for _ in range(2)]
        assert all(np.array_equal(held[0][key], held[1][key]) for key in held[0])
    assert len(shapes) == 1


@pytest.mark.needs("loss")
def test_every_parameter_belongs_to_a_turn(pupil: Any) -> None:
    everything = {id(p) for p in pupil.network.parameters()}
    turns = {turn for step in range(50) for turn in pupil.turns(step)}
    assert turns and {id(p) for turn in turns for p in pupil.parameters_of(turn)} == everything
    assert isinstance(pupil.stage(0), str)


@pytest.mark.learns
@pytest.mark.needs("log_likelihood")
def test_has_learned(model: Any, chorales: list[Item]) -> None:
    rng = np.random.default_rng(0)
    for piece in chorales[:2]:
        pitches = [note.pitch for track in piece.content.tracks for note in track.notes]
        uniform = math.log(max(pitches) - min(pitches) + 1)
        foreign = piece.content.copy()
        for track in foreign.tracks:
            for note, pitch in zip(track.notes, rng.permutation([n.pitch for n in track.notes]), strict=True):
                note.pitch = int(pitch)
        learned = float(model.log_likelihood(piece.content).nats.mean())
        assert learned < uniform
        assert learned < float(model.log_likelihood(foreign).nats.mean())


@pytest.mark.learns
def test_learns_from_melodies(pupil: Any, learn: Any, cls: Any, melodies: list[Item]) -> None:
    if learns_from_sound(cls):
        with pytest.raises(BadInput, match="score"):
            learn(pupil, melodies)
        return
    if hasattr(pupil.config, "voices"):
        pupil = cls(dataclasses.replace(pupil.config, voices=1))
    learn(pupil, melodies)
    if hasattr(cls, "generate"):
        check_score(pupil.generate(bars=PIECE_BARS, seed=1), bar_count=PIECE_BARS)


@pytest.mark.learns
@pytest.mark.parametrize("kind", ["no items", "no notes", "one note", "silence", "one short tune"])
def test_poor_corpus_gives_an_error_or_a_model(pupil: Any, learn: Any, cls: Any, kind: str,
                                               melodies: list[Item], tones: Any) -> None:
    empty, one = melodies[0].content.copy(), melodies[0].content.copy()
    empty.tracks[0].notes.clear()
    one.tracks[0].notes = type(one.tracks[0].notes)([one.tracks[0].notes[0]])
    items = {"no items": [], "no notes": [Item("empty", "score", empty)], "one note": [Item("one", "score", one)],
             "silence": [Item("silence", "audio", silence(1.0))], "one short tune": melodies[:1]}[kind]
    if learns_from_sound(cls):
        tone = tones(1)[0].content
        click = Audio(tone.samples[:, :400], tone.sample_rate_hz)
        items = {"no notes": [Item("silence", "audio", silence(1.0))], "one short tune": tones(1),
                 "one note": [Item("click", "audio", click)]}.get(kind, items)
    if kind in ("no items", "no notes"):
        with pytest.raises(ComponiumError):
            learn(pupil, items)
        return
    try:
        learn(pupil, items)
        if hasattr(pupil, "generate"):
            check_score(pupil.generate(bars=2))
    except ComponiumError as error:
        assert len(str(error)) > 20


@pytest.mark.learns
def test_cancelled_learning_leaves_through_progress(pupil: Any, learn: Any, untaught: Any,
                                                    material: list[Item]) -> None:
    with pytest.raises(Cancelled):
        learn(pupil, material, progress=cancelling)
    assert state_of(pupil) == state_of(untaught), "nothing half-learned is left behind"


def test_state_is_arrays_and_json(model: Any) -> None:
    arrays, told = model.state()
    assert all(isinstance(value, np.ndarray) and value.dtype.kind in "biuf" for value in arrays.values())
    assert json.loads(json.dumps(told)) == told


def test_saved_and_loaded_is_identical(model: Any, tmp_path: Path, chorales: list[Item]) -> None:
    loaded = checkpoint.load(checkpoint.save(model, tmp_path / "m"))
    assert type(loaded) is type(model) and loaded.config == model.config
    assert state_of(loaded) == state_of(model)
    if hasattr(model, "generate"):
        arguments = {"bars": PIECE_BARS, "seed": 5}
        assert content_of(loaded.generate(**arguments)) == content_of(model.generate(**arguments))
    if hasattr(model, "play"):
        piece = chorales[0].content
        assert np.array_equal(loaded.play(piece).samples, model.play(piece).samples)


def test_untrained_model_can_be_saved(fresh: Any, tmp_path: Path) -> None:
    loaded = checkpoint.load(checkpoint.save(fresh, tmp_path / "m"))
    assert state_of(loaded) == state_of(fresh)


def test_foreign_state_is_an_error_or_ignored(model: Any, tmp_path: Path) -> None:
    folder = checkpoint.save(model, tmp_path / "m")
    header = json.loads((folder / "model.json").read_text())
    for state in ({"nonsense": [1, 2]}, [], "x", None):
        (folder / "model.json").write_text(json.dumps(header | {"state": state}))
        try:
            checkpoint.load(folder)
        except ComponiumError as error:
            assert str(folder) in str(error)


def test_arrays_of_another_shape_are_refused(model: Any, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    arrays, _ = model.state()
    if not arrays:
        return
    folder = checkpoint.save(model, tmp_path / "m")
    header = json.loads((folder / "model.json").read_text())
    save_file({key: np.zeros((3, 1), value.dtype) for key, value in arrays.items()}, folder / "weights.safetensors")
    header["weights"]["sha256"] = checkpoint._sha256(folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps(header))
    with pytest.raises(ComponiumError, match="does not fit"):
        checkpoint.load(folder)


# composing


@pytest.mark.needs("generate")
@pytest.mark.parametrize("asked", [1, 3, 8])
def test_generates_the_bars_that_were_asked_for(model: Any, asked: int) -> None:
    check_score(model.generate(bars=asked, seed=asked), bar_count=asked)


@pytest.mark.needs("generate")
def test_same_seed_same_piece(model: Any, cls: Any) -> None:
    first = content_of(model.generate(bars=PIECE_BARS, seed=1))
    others = [content_of(model.generate(bars=PIECE_BARS, seed=seed)) for seed in (1, 2, 3, 2**40)]
    assert others[0] == first
    if cls.deterministic:
        assert all(other == first for other in others)
    else:
        assert len({repr(piece) for piece in others}) >= 3


@pytest.mark.needs("generate")
def test_global_randomness_is_left_alone(model: Any) -> None:
    before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002  (that is what is watched)
    first = content_of(model.generate(bars=1, seed=1))
    assert (random.getstate(), repr(np.random.get_state())) == before  # noqa: NPY002
    random.random()
    np.random.rand()  # noqa: NPY002
    assert content_of(model.generate(bars=1, seed=1)) == first


@pytest.mark.needs("generate")
@pytest.mark.parametrize("temperature", [0.01, 0.5, 2.0, 100.0])
def test_temperature_may_be_low_and_high(model: Any, cls: Any, temperature: float) -> None:
    if "temperature" in parameters(cls.generate):
        check_score(model.generate(bars=2, seed=1, temperature=temperature), bar_count=2)


@pytest.mark.needs("generate")
@pytest.mark.parametrize("wrong", [{"bars": 0}, {"bars": -1}, {"bars": 10**9}, {"temperature": -1.0},
                                   {"temperature": math.nan}, {"key": "H sharp"}], ids=str)
def test_wrong_argument_is_named(model: Any, cls: Any, wrong: dict[str, Any]) -> None:
    word = next(iter(wrong))
    if word in parameters(cls.generate):
        with pytest.raises(BadInput) as error:
            model.generate(**wrong)
        assert word in str(error.value) or str(wrong[word]) in str(error.value)


@pytest.mark.needs("generate")
def test_prompt_is_kept(model: Any, cls: Any, chorales: list[Item], melodies: list[Item]) -> None:
    if "prompt" not in parameters(cls.generate):
        return
    used = 0
    for piece in (chorales[0].content, melodies[0].content):
        prompt = first_beats(piece, 8.0)
        before = content_of(prompt)
        try:
            score = model.generate(bars=PIECE_BARS, seed=1, prompt=prompt)
        except BadInput:
            continue  # another number of voices than it learned
        used += 1
        check_score(score, bar_count=PIECE_BARS)
        assert content_of(prompt) == before, "the prompt itself is not changed"
        assert sounding(first_beats(score, 8.0)) == sounding(prompt)
        assert any(note.time >= 8.0 - 1e-3 for track in score.tracks for note in track.notes)
        assert tempo_bpm(score) == pytest.approx(tempo_bpm(prompt), rel=1e-3)
    assert used


@pytest.mark.needs("generate")
def test_prompt_as_long_as_the_piece_is_refused(model: Any, cls: Any, chorales: list[Item]) -> None:
    if "prompt" in parameters(cls.generate):
        with pytest.raises(BadInput, match="bars"):
            model.generate(bars=2, prompt=chorales[0].content)


@pytest.mark.needs("generate")
def test_odd_prompt_gives_an_error_or_a_piece(model: Any, cls: Any, odd_score: Score) -> None:
    if "prompt" in parameters(cls.generate):
        before = content_of(odd_score)
        try:
            check_bars(model.generate(bars=102, seed=1, prompt=odd_score) if len(bars(odd_score)) > 2
                       else model.generate(bars=3, seed=1, prompt=odd_score))
        except ComponiumError as error:
            assert len(str(error)) > 15
        assert content_of(odd_score) == before


@pytest.mark.needs("generate_many")
def test_generates_many_different_pieces(model: Any, cls: Any) -> None:
    pieces = model.generate_many(count=3, bars=2, seed=1)
    assert len(pieces) == 3
    for piece in pieces:
        check_score(piece, bar_count=2)
    again = model.generate_many(count=3, bars=2, seed=1)
    assert [content_of(piece) for piece in pieces] == [content_of(piece) for piece in again]
    assert cls.deterministic or len({repr(content_of(piece)) for piece in pieces}) > 1
    with pytest.raises(BadInput):
        model.generate_many(count=0, bars=2)


@pytest.mark.needs("generate", "generate_many")
def test_one_seed_of_each_gives_what_each_gives_alone(model: Any) -> None:
    many = model.generate_many(count=3, bars=2, seed=[4, 1, 4])
    assert [content_of(piece) for piece in many] == [content_of(model.generate(bars=2, seed=s)) for s in (4, 1, 4)]


@pytest.mark.needs("generate", "generate_many")
def test_many_pieces_are_made_with_the_defaults_of_one(cls: Any) -> None:
    one, many = (inspect.signature(getattr(cls, ability)).parameters for ability in ("generate", "generate_many"))
    assert {name: many[name].default for name in one if name in many} == {n: one[n].default for n in one if n in many}


@pytest.mark.needs("continue_")
def test_continuation_keeps_the_score_and_adds_bars(model: Any, cls: Any, chorales: list[Item]) -> None:
    score = first_beats(chorales[1].content, 8.0)
    before = content_of(score)
    longer = model.continue_(score, bars=2, seed=1)
    check_score(longer, bar_count=4)
    assert content_of(score) == before
    assert sounding(first_beats(longer, 8.0)) == sounding(score)
    assert content_of(model.continue_(score, bars=2, seed=1)) == content_of(longer)
    others = {repr(content_of(model.continue_(score, bars=2, seed=seed))) for seed in (1, 2, 3)}
    assert cls.deterministic or len(others) > 1


@pytest.mark.needs("continue_")
def test_odd_score_continues_or_gives_an_error(model: Any, odd_score: Score) -> None:
    before = content_of(odd_score)
    try:
        check_bars(model.continue_(odd_score, bars=1, seed=1))
    except ComponiumError as error:
        assert len(str(error)) > 15
    assert content_of(odd_score) == before


@pytest.mark.needs("harmonize")
def test_harmonizing_keeps_the_melody_to_the_note(model: Any, cls: Any, chorales: list[Item]) -> None:
    tune = melody_of(first_beats(chorales[1].content, 16.0))
    before = content_of(tune)
    score = model.harmonize(tune, seed=1)
    check_score(score)
    assert content_of(tune) == before, "the melody itself is not changed"
    assert set(sounding(tune)) <= set(sounding(score)) and len(sounding(score)) > len(sounding(tune))
    assert length_beats(score) == pytest.approx(length_beats(tune))
    assert content_of(model.harmonize(tune, seed=1)) == content_of(score)
    others = {repr(content_of(model.harmonize(tune, seed=seed, temperature=2.0))) for seed in (1, 2, 3)}
    assert cls.deterministic or len(others) > 1


@pytest.mark.needs("harmonize")
def test_odd_melody_is_harmonized_or_gives_an_error(model: Any, odd_score: Score) -> None:
    before = content_of(odd_score)
    try:
        check_bars(model.harmonize(odd_score, seed=1))
    except ComponiumError as error:
        assert len(str(error)) > 15
    assert content_of(odd_score) == before


@pytest.mark.needs("infill")
def test_infilling_leaves_the_other_bars_as_they_are(model: Any, cls: Any, chorales: list[Item]) -> None:
    score = first_beats(chorales[1].content, 16.0)
    before = content_of(score)
    filled = model.infill(score, where="2", seed=1)
    check_score(filled, bar_count=len(bars(score)))
    assert content_of(score) == before
    first, last = bars(score)[1].start_beats, bars(score)[1].end_beats

    def outside(piece: Score) -> list[tuple[float, float, int]]:
        return [note for note in sounding(piece) if note[0] + note[1] <= first + 1e-3 or note[0] >= last - 1e-3]

    assert outside(filled) == outside(score)
    assert content_of(model.infill(score, where="2", seed=1)) == content_of(filled)
    hot = {"temperature": 4.0} if "temperature" in parameters(cls.infill) else {}
    others = {repr(content_of(model.infill(score, where="2", seed=seed, **hot))) for seed in range(1, 6)}
    assert cls.deterministic or len(others) > 1


@pytest.mark.needs("infill")
@pytest.mark.parametrize("where", ["", "0", "99", "3-2", "x", "-1"])
def test_bars_that_are_not_there_are_refused(model: Any, where: str, chorales: list[Item]) -> None:
    with pytest.raises(BadInput):
        model.infill(first_beats(chorales[1].content, 16.0), where=where)


@pytest.mark.needs("infill")
def test_odd_score_is_filled_or_gives_an_error(model: Any, odd_score: Score) -> None:
    before = content_of(odd_score)
    try:
        check_bars(model.infill(odd_score, where="1", seed=1))
    except ComponiumError as error:
        assert len(str(error)) > 15
    assert content_of(odd_score) == before


@pytest.mark.needs("respond")
def test_a_reply_is_new_music_at_the_tempo_and_in_the_meter_of_the_phrase(
        model: Any, cls: Any, chorales: list[Item]) -> None:
    phrase = melody_of(first_beats(chorales[1].content, 16.0))
    before = content_of(phrase)
    reply = model.respond(phrase, seed=1)
    check_score(reply)
    assert content_of(phrase) == before
    assert (tempo_bpm(reply), meter(reply)) == (tempo_bpm(phrase), meter(phrase))
    assert sounding(reply) != sounding(phrase) and sounding(reply)[0][0] < bar_beats(*meter(phrase))
    assert content_of(model.respond(phrase, seed=1)) == content_of(reply)
    others = {repr(content_of(model.respond(phrase, seed=seed))) for seed in (1, 2, 3)}
    assert cls.deterministic or len(others) > 1


@pytest.mark.needs("respond")
def test_odd_phrase_is_answered_or_gives_an_error(model: Any, odd_score: Score) -> None:
    before = content_of(odd_score)
    try:
        check_bars(model.respond(odd_score, seed=1))
    except ComponiumError as error:
        assert len(str(error)) > 15
    assert content_of(odd_score) == before


# judging


@pytest.mark.needs("log_likelihood")
def test_likelihood_is_told_token_by_token(model: Any, chorales: list[Item]) -> None:
    before = content_of(chorales[2].content)
    told = model.log_likelihood(chorales[2].content)
    assert content_of(chorales[2].content) == before
    shapes = {array.shape for array in (told.nats, told.voice, told.step, told.onset)}
    assert shapes == {(len(told.nats),)} and len(told.nats)
    assert np.isfinite(told.nats).all() and (told.nats >= 0).all()
    assert told.onset.dtype == np.bool_ and told.steps_per_beat >= 1 and told.tokenisation
    assert told.step.min() >= 0 and told.step.max() <= 32 * told.steps_per_beat
    assert np.array_equal(model.log_likelihood(chorales[2].content).nats, told.nats)


@pytest.mark.needs("log_likelihood")
def test_odd_score_is_judged_or_gives_an_error(model: Any, odd_score: Score) -> None:
    try:
        told = model.log_likelihood(odd_score)
        assert np.isfinite(told.nats).all()
    except ComponiumError as error:
        assert len(str(error)) > 15


# sounding


@pytest.mark.needs("play")
def test_plays_the_whole_score(model: Any, chorales: list[Item]) -> None:
    score = first_beats(chorales[0].content, 8.0)
    before = content_of(score)
    audio = model.play(score)
    check_audio(audio)
    assert content_of(score) == before
    seconds = length_beats(score) * 60 / tempo_bpm(score)
    assert seconds - 0.1 <= audio.seconds <= seconds + 30
    assert -60 < audio.loudness_lufs < 0
    for start in np.arange(0.2, seconds - 0.3, 0.5):
        place = round(start * audio.sample_rate_hz)
        assert np.abs(audio.samples[:, place:place + audio.sample_rate_hz // 4]).max() > 1e-4, "it stops sounding"
    assert np.array_equal(model.play(score).samples, audio.samples)


@pytest.mark.needs("play")
def test_odd_score_plays_or_gives_an_error(model: Any, odd_score: Score) -> None:
    before = content_of(odd_score)
    try:
        check_audio(model.play(odd_score))
    except ComponiumError as error:
        assert len(str(error)) > 15
    assert content_of(odd_score) == before


@pytest.mark.needs("encode", "decode")
def test_decoded_has_the_shape_of_what_was_encoded(model: Any, sine: Audio) -> None:
    back = model.decode(model.encode(sine))
    check_audio(back)
    assert back.samples.shape == sine.samples.shape and back.sample_rate_hz == sine.sample_rate_hz


@pytest.mark.needs("controls")
def test_controls_work_at_both_ends(model: Any) -> None:
    assert len({control.name for control in model.controls}) == len(model.controls)
    for control in model.controls:
        assert control.help and control.from_unit(0.0) == control.minimum and control.from_unit(1.0) == control.maximum


@pytest.mark.needs("transfer")
def test_transfers_any_sound_to_one_of_its_length(model: Any, cls: Any, sine: Audio) -> None:
    rng = np.random.default_rng(0)
    noise = Audio(rng.normal(0, 0.1, (2, 22050)).astype(np.float32), 22050)
    short = Audio(np.full((1, 50), 0.1, np.float32), 8000)
    for sound in (sine, noise, silence(0.5, 96000, 6), short):
        given = sound.samples.copy()
        made = model.transfer(sound)
        check_audio(made)
        assert made.seconds == pytest.approx(sound.seconds, abs=0.002)
        assert np.array_equal(sound.samples, given)
        assert np.array_equal(model.transfer(sound).samples, made.samples)
    assert cls.deterministic or not np.array_equal(model.transfer(noise, seed=1).samples,
                                                   model.transfer(noise, seed=2).samples)
    for wrong in (np.zeros((1, 0), np.float32), np.full((1, 999), np.nan, np.float32)):
        with pytest.raises(ComponiumError):
            model.transfer(Audio(wrong, 44100))


# in slices


def slices_of(stream: Any, x: Any, samples: int, knobs: Any) -> Any:
    """Return what a stream gives in slices of so many samples, and check that its state keeps its shapes."""
    import torch

    state, parts, step = stream.start(x.shape[0]), [], samples // stream.in_ratio
    shapes = {key: (value.shape, value.dtype) for key, value in state.items()}
    with torch.inference_mode():
        for start in range(0, x.shape[2], step):
            y, state = stream(x[:, :, start:start + step], knobs, state)
            assert y.shape == (x.shape[0], len(stream.outputs), step * stream.in_ratio // stream.out_ratio)
            assert {key: (value.shape, value.dtype) for key, value in state.items()} == shapes
            parts.append(y)
    return torch.cat(parts, 2)


def material_for(stream: Any, blocks: int) -> Any:
    """Return two inputs of a stream, so many blocks long: chance within what its channels mean."""
    import torch

    count = blocks * stream.block_multiple // stream.in_ratio
    generator = torch.Generator().manual_seed(0)
    made = {"f0_hz": lambda: 200 + 300 * torch.rand(2, count, generator=generator),
            "loudness_db": lambda: -40 + 30 * torch.rand(2, count, generator=generator),
            "sound": lambda: 0.3 * torch.sin(torch.arange(count) * torch.tensor([[0.05], [0.08]]))}
    return torch.stack([made[name]() for name in stream.inputs], 1)


@pytest.mark.needs("streams")
def test_slices_of_any_size_are_the_same(model: Any) -> None:
    import torch

    for stream in model.streams(seed=1).values():
        x = material_for(stream, 24)
        knobs = torch.tensor([float(control.default) for control in stream.controls])
        whole = slices_of(stream, x, 24 * stream.block_multiple, knobs)
        assert bool(torch.isfinite(whole).all()) and float(whole.abs().max()) > 1e-4
        for blocks in (1, 3, 8):
            parts = slices_of(stream, x, blocks * stream.block_multiple, knobs)
            noise = (parts - whole).square().mean() / whole.square().mean()
            assert float(noise) < 1e-6, f"{stream.name}: 60 dB"
        for end in ("minimum", "maximum"):
            edge = torch.tensor([float(getattr(control, end)) for control in stream.controls])
            assert bool(torch.isfinite(slices_of(stream, x, stream.block_multiple, edge)).all())


@pytest.mark.needs("streams", "transfer")
def test_a_stream_is_the_whole_later_by_its_delay(model: Any, sine: Audio) -> None:
    import torch

    stream = model.streams()["transfer"]
    sound = sine.resample(model.sample_rate_hz)
    whole = model.transfer(sound, adjust=False).samples[0]
    x = torch.from_numpy(sound.samples)[None, :1]
    x = torch.nn.functional.pad(x, (0, stream.delay_samples + (-x.shape[2]) % stream.block_multiple))
    knobs = torch.tensor([float(control.default) for control in stream.controls])
    y = slices_of(stream, x, stream.block_multiple, knobs)[0, 0, stream.delay_samples:].numpy()
    length = min(len(y), len(whole))
    noise = ((y[:length] - whole[:length]) ** 2).mean() / (whole**2).mean()
    assert 10 * math.log10(noise) < -60


@pytest.mark.needs("streams")
def test_streams_can_be_scripted(model: Any) -> None:
    import torch

    for stream in model.streams().values():
        x, state = material_for(stream, 2), stream.start(2)
        knobs = torch.tensor([float(control.default) for control in stream.controls])
        with torch.inference_mode():
            scripted = torch.jit.script(stream)(x, knobs, state)[0]
            assert torch.allclose(scripted, stream(x, knobs, stream.start(2))[0], atol=1e-5)


# progress


def work_of(model: Any, chorales: list[Item], tones: Any) -> dict[str, Any]:
    """Return the abilities that report progress, ready to be called with it."""
    score = first_beats(chorales[0].content, 8.0)
    calls = {"generate": lambda **told: model.generate(bars=2, seed=1, **told),
             "generate_many": lambda **told: model.generate_many(count=2, bars=2, seed=1, **told),
             "continue_": lambda **told: model.continue_(score, bars=2, seed=1, **told),
             "harmonize": lambda **told: model.harmonize(melody_of(score), seed=1, **told),
             "infill": lambda **told: model.infill(score, where="2", seed=1, **told),
             "respond": lambda **told: model.respond(melody_of(score), seed=1, **told),
             "play": lambda **told: model.play(score, **told),
             "transfer": lambda **told: model.transfer(tones(1)[0].content, **told)}
    return {key: call for key, call in calls.items()
            if hasattr(model, key) and "progress" in parameters(getattr(type(model), key))}


def test_progress_rises_and_can_stop_the_work(model: Any, chorales: list[Item], tones: Any) -> None:
    for key, call in work_of(model, chorales, tones).items():
        told: list[float] = []
        call(progress=lambda fraction, message="", told=told: told.append(fraction))
        assert told and told == sorted(told) and told[0] >= 0 and told[-1] <= 1 + 1e-9, key
        with pytest.raises(Cancelled):
            call(progress=cancelling)
        call()  # and it still works


# cutting


def first_beats(score: Score, beats: float) -> Score:
    """Return what starts before a time, cut there."""
    cut = score.copy()
    for track in cut.tracks:
        kept = [note for note in track.notes if note.time < beats - 1e-3]
        for note in kept:
            note.duration = min(note.duration, beats - note.time)
        track.notes = type(track.notes)(kept)
    for name in ("tempos", "time_signatures", "key_signatures", "markers"):
        events = getattr(cut, name)
        setattr(cut, name, type(events)([event for event in events if event.time < beats - 1e-3]))
    return cut


def melody_of(score: Score) -> Score:
    """Return a score's first voice alone."""
    melody = score.copy()
    melody.tracks = type(melody.tracks)([melody.tracks[0]])
    return melody


def sounding(score: Score) -> list[tuple[float, float, int]]:
    """Return the notes without their tracks, in order."""
    return sorted((round(note.time, 3), round(note.duration, 3), note.pitch)
                  for track in score.tracks for note in track.notes)


def check_bars(score: Score) -> None:
    """Assert that a piece that began oddly is a score that can be counted."""
    assert all(math.isfinite(note.time) and 0 <= note.pitch <= 127 for track in score.tracks for note in track.notes)
    assert bars(score)
