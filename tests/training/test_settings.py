"""Settings of the loop: ranges, words, near names."""

from __future__ import annotations

import dataclasses

import pytest

from componium.interface import settings_of
from componium.music.errors import BadInput
from componium.training.settings import TrainSettings, read_train_settings


def test_every_setting_is_explained_and_its_default_can_be_written_as_text():
    for told in settings_of(TrainSettings):
        assert len(told.help) >= 8 and (not told.choices or told.default in told.choices)
    words = {key: str(value).lower() for key, value in dataclasses.asdict(TrainSettings()).items()}
    assert read_train_settings(words) == TrainSettings()


def test_later_tables_go_before_earlier_ones():
    assert read_train_settings({"batch": 8, "ema": 0.5}, None, {"batch": "16"}) == TrainSettings(batch=16, ema=0.5)


@pytest.mark.parametrize(("wrong", "told"), [
    ({"batch": 0}, r"train\.batch=0: it has to be 1 or more"), ({"learning_rate": 0}, "above 0"),
    ({"learning_rate": float("nan")}, "above 0"), ({"ema": 1.0}, "below 1"), ({"held_out": -0.1}, "0 or more"),
    ({"clip_norm": float("inf")}, "0 or more"), ({"optimizer": "adamv"}, "did you mean adam or adamw"),
    ({"schedule": "stairs"}, "one of cosine"), ({"keep": "every=0"}, "every=N"), ({"split_by": "name"}, "melody"),
    ({"bacth": 4}, "did you mean batch"), ({"batch": "many"}, "a whole number"), ({"steps": 0}, r"train\.steps"),
])
def test_what_cannot_be_used_is_named(wrong, told):
    with pytest.raises(BadInput, match=told):
        read_train_settings(wrong)
