"""Excerpts of recordings: which are taken, and which are left out."""

from __future__ import annotations

import numpy as np
import pytest

from componium.evaluation.excerpts import LUFS, excerpts, held_out_parts, material
from componium.music.audio import Audio
from componium.music.corpus import open_corpus
from componium.music.errors import BadInput, Cancelled
from componium.music.item import Item
from componium.music.score import new_score

RATE = 8000


def tone(seconds, level=0.1, hz=300.0, rate=RATE):
    return Audio((level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32), rate)


def recording(name, seconds=9.0, **more):
    return Item(name, "audio", tone(seconds, **more), hash=f"hash of {name}", seconds=seconds)


def test_recordings_are_cut_into_four_seconds_and_brought_to_one_loudness():
    found, skipped = excerpts(material([recording("a"), recording("b", 1.5, level=0.01)], {}), RATE)
    assert sorted((e.name, round(e.seconds, 3)) for e in found) == [
        ("a, 0:00", 4.0), ("a, 0:04", 4.0), ("a, 0:08", 1.0), ("b", 1.5)]
    assert not skipped
    for each in found:
        assert Audio(each.samples * np.float32(each.gain), RATE).loudness_lufs == pytest.approx(LUFS, abs=0.05)


def test_what_is_left_over_is_taken_from_a_second_on_and_what_is_very_short_is_filled_up():
    found, _ = excerpts(material([recording("a", 4.9), recording("b", 0.1)], {}), RATE)
    assert sorted((e.name, round(e.seconds, 3)) for e in found) == [("a, 0:00", 4.0), ("b", 0.25)]


def test_the_same_ones_are_taken_in_whatever_order_they_come():
    those = [recording(name, 20.0) for name in "abc"]
    first, _ = excerpts(material(those, {}), RATE, 4)
    second, _ = excerpts(material(those[::-1], {}), RATE, 4)
    every, _ = excerpts(material(those, {}), RATE, 99)
    assert [e.name for e in first] == [e.name for e in second] == [e.name for e in every][:4]
    assert len(first) == 4 and len(every) == 15


def test_another_rate_and_two_channels_become_what_is_asked_for():
    wide = Item("wide", "audio", tone(4, rate=44100).to_stereo(), hash="wide", seconds=4.0)
    (found,), _ = excerpts(material([wide], {}), RATE)
    assert found.samples.shape == (4 * RATE,) and found.sample_rate_hz == RATE


def test_known_recordings_are_left_out_and_taken_where_there_are_no_others():
    those = [recording("a"), recording("b")]
    told = material(those, {"hashes": ["hash of a"]})
    assert [item.name for item, _ in told.stretches] == ["b"] and told.known == ("a",) and not told.learned_from
    told = material(those, {"hashes": ["hash of a", "hash of b"]})
    assert len(told.stretches) == 2 and told.learned_from
    told = material(those, {"hashes": ["x"], "held_out_hashes": ["hash of b"]})
    assert told.held_out == 1 and told.recorded and not material(those, {}).recorded


def test_of_a_single_recording_the_parts_that_were_held_out_are_taken():
    known = {"hashes": ["hash of a"], "names": ["a"], "held_out_names": ["a 0:30-1:00", "a 1:30-1:46.5", "other"],
             "held_out_hashes": ["x", "y"]}
    assert held_out_parts("hash of a", known) == [(30.1, 59.9), (90.1, pytest.approx(106.4))]
    told = material([recording("a", 120.0)], known)
    assert not told.learned_from and told.held_out == 2 and told.known == ("a",)
    found, _ = excerpts(told, RATE, 99)
    assert len(found) == 8 + 4 and min(each.start_seconds for each in found) == pytest.approx(30.1)
    assert held_out_parts("hash of a", known | {"hashes": ["hash of a", "b"]}) == []


def test_silence_scores_copies_and_broken_files_are_named(tmp_path):
    silent = Item("silent", "audio", Audio(np.zeros(RATE, np.float32), RATE), hash="s", seconds=1.0)
    score = Item("score", "score", new_score())
    copy = Item("copy", "audio", tone(9), hash="hash of a", seconds=9.0)
    given = material([recording("a"), copy, silent, score], {})
    found, skipped = excerpts(given, RATE)
    assert {e.recording for e in found} == {"hash of a"}
    assert [(s.name, s.reason) for s in given.skipped] == [("copy", "same sound as a"),
                                                           ("score", "it is a score, not a recording")]
    assert [(s.name, s.reason) for s in skipped] == [("silent", "it is silent")]
    with pytest.raises(BadInput, match="silent: it is silent"):
        excerpts(material([silent], {}), RATE)
    with pytest.raises(BadInput, match=r"mine: no recording.*score: it is a score.*\.wav"):
        material([score], {}, name="mine")
    tone(2).write(tmp_path / "cut.wav")
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:9000])
    tone(2).write(tmp_path / "good.wav")
    found, skipped = excerpts(material(open_corpus(tmp_path), {}), RATE)
    assert [e.name for e in found] == ["good.wav"] and "cut" in skipped[0].name and "cut off" in skipped[0].reason


def test_reading_can_be_stopped():
    def stop(_done, _text=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        excerpts(material([recording("a")], {}), RATE, progress=stop)
