"""Melody RNN's encodings, event for event against note-seq 0.0.5, the published code.

``data/melody_rnn.npz`` holds 265 melodies and what note-seq says of them, made once in an environment of its own;
note-seq is no dependency. 120 are of the built-in corpus `tunes` (public-domain works; some cut), the others were
drawn: walks with and without a scale, with bars that repeat, pitches far outside the range, note-offs where nothing
sounds as a network may write them, and extremes from a single step of silence to a note on each step.

Stored, one after another over all melodies (``lengths`` parts them): the events; note-seq's squash to the range 48
to 83 with no key (``folded``), to C and to G; and, of each step, labels and inputs: *mono* of the events, *basic*,
*lookback* and *key* of ``folded``. One-hot inputs are stored as the place of their 1, checked to be the only one;
the others hold nothing but 1, 0 and -1 and are stored as bits, column by column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from componium.tokens.melody import KeyMelody, Lookback, OneHot, squashed

ENCODINGS = {"basic": OneHot(), "mono": OneHot(0, 127), "lookback": Lookback(), "key": KeyMelody()}


@pytest.fixture(scope="module")
def stored():
    with np.load(Path(__file__).parent / "data" / "melody_rnn.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def melodies(stored, name: str) -> list[np.ndarray]:
    return np.split(stored[name].astype(np.int16), np.cumsum(stored["lengths"])[:-1])


def inputs_of(stored, name: str, size: int) -> np.ndarray:
    steps = len(stored["events"])
    if f"{name}_ones" in stored:
        return (stored[f"{name}_ones"][:, np.newaxis] == np.arange(size)).astype(np.float32)
    positive, negative = (np.unpackbits(stored[f"{name}_{sign}"], axis=1, count=steps).T.astype(np.float32)
                          for sign in ("positive", "negative"))
    return positive - negative


def test_there_are_enough_melodies_of_enough_kinds(stored):
    lengths = stored["lengths"]
    assert len(lengths) >= 200
    assert lengths.min() == 1
    assert lengths.max() > 128
    assert stored["events"].min() == -2
    assert stored["events"].max() > 83


@pytest.mark.parametrize("name", ENCODINGS)
def test_labels_and_inputs_equal_those_of_note_seq(stored, name):
    encoding = ENCODINGS[name]
    told = melodies(stored, "events" if name == "mono" else "folded")
    labels = np.concatenate([encoding.labels(events) for events in told])
    inputs = np.concatenate([encoding.inputs(events) for events in told])
    assert np.array_equal(labels, stored[f"{name}_labels"])
    assert inputs.dtype == np.float32
    assert np.array_equal(inputs, inputs_of(stored, name, encoding.input_size))


@pytest.mark.parametrize("name", ENCODINGS)
def test_note_seqs_labels_give_its_events(stored, name):
    told = melodies(stored, "events" if name == "mono" else "folded")
    for events, labels in zip(told, melodies(stored, f"{name}_labels"), strict=True):
        assert np.array_equal(ENCODINGS[name].events(labels), events)


@pytest.mark.parametrize(("name", "to_key"), [("folded", None), ("squashed0", 0), ("squashed7", 7)])
def test_melodies_are_moved_to_a_key_as_by_note_seq(stored, name, to_key):
    moved = [squashed(events, 48, 83, to_key) for events in melodies(stored, "events")]
    assert np.array_equal(np.concatenate([events for events, _ in moved]), stored[name])
    semitones = [by for _, by in moved]
    assert semitones == ([0] * len(moved) if to_key is None else stored[f"semitones{to_key}"].tolist())
