from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, ClassVar

import componium as cp
from componium import interface
from componium.interface import ABILITIES, Setting, abilities, arguments_of, describe, setting, settings_of, silent
from componium.music.audio import Audio
from componium.music.control import Control
from componium.music.score import Score


@dataclasses.dataclass(frozen=True)
class KnobConfig:
    size: int = setting(3, "how many")
    mode: str = setting("low", "which register", ("low", "high"))


class Knob:
    """A knob."""

    name: ClassVar[str] = "knob"
    Config: ClassVar[type] = KnobConfig
    needs_training: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True

    def __init__(self) -> None:
        self.config = KnobConfig()
        self.provenance: dict[str, Any] = {"data": "nothing"}
        self.figures: dict[str, Any] = {}

    def play(self, score: Score, *, brightness: float = 0.5, progress: interface.Progress = silent) -> Audio:
        """Play.

        Args:
            score: the music.
            brightness: how bright: 0 dull, 1 sharp.
            progress: told the fraction done.
        """
        raise NotImplementedError

    def generate_many(self, *, count: int = 1, brightness: float = 0.5) -> list[Score]:
        """Make several.

        Args:
            count: how many.
        """
        raise NotImplementedError

    @property
    def controls(self) -> Sequence[Control]:
        """The knobs."""
        return [Control("level", "dB", -60.0, 0.0, -6.0, help="how loud")]


def test_abilities_are_what_is_there() -> None:
    assert list(abilities(Knob)) == ["generate_many", "play", "controls"] == list(abilities(Knob()))
    assert abilities(object()) == {}


def test_every_ability_is_a_method_of_its_protocol() -> None:
    for key, (text, protocol) in ABILITIES.items():
        assert hasattr(protocol, key) and text


def test_settings_tell_default_help_and_choices() -> None:
    assert settings_of(KnobConfig) == (Setting("size", "int", 3, "how many"),
                                       Setting("mode", "str", "low", "which register", ("low", "high")))


def test_arguments_are_keyword_only_ones_with_help_from_the_docstring() -> None:
    told = arguments_of(Knob.play)
    assert [(a.name, a.default, a.help) for a in told] == [("brightness", 0.5, "how bright: 0 dull, 1 sharp.")]


def test_an_argument_means_the_same_in_all_abilities() -> None:
    told = {a.name: a.help for a in describe(Knob).arguments["generate_many"]}
    assert told == {"count": "how many.", "brightness": "how bright: 0 dull, 1 sharp."}


def test_description_of_an_object_has_its_state_and_of_a_class_has_not() -> None:
    of_object, of_class = describe(Knob()), describe(Knob)
    assert [control.name for control in of_object.controls] == ["level"]
    assert of_class.controls == () and of_class.provenance == {}
    assert of_object.provenance == {"data": "nothing"}
    assert of_object.deterministic and not of_object.needs_training
    json.dumps(dataclasses.asdict(of_object))


def test_description_takes_its_title_from_the_module() -> None:
    told = cp.describe(cp.create("grammar"))
    assert told.title == "L-system that rewrites chords and motifs"
    assert "Idea:" in told.text
    assert set(told.arguments) == {"generate"}


def test_changing_a_description_changes_no_model() -> None:
    knob = Knob()
    describe(knob).provenance["data"] = "something"
    assert knob.provenance == {"data": "nothing"}


def test_silent_progress_takes_what_progress_is_given() -> None:
    assert silent(0.5) is None and silent(1.0, "done") is None
