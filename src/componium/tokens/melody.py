"""Melodies for networks, all from one place: what a melody is, and the encodings that networks read.

    encoding       labels  input  for
    `OneHot`           38     38  Melody RNN `basic`; with ``OneHot(0, 127)`` (130) `mono`
    `Lookback`         40    121  Melody RNN `lookback`
    `KeyMelody`        40     74  Melody RNN `attention`
    `Series`           39     39  the course's LSTM: "60 _ r _ /"

Each has `labels` and its exact inverse `events`, `inputs` (row t is for the prediction of label t + 1), and the
same step by step for many melodies at once, at a cost that does not grow with them:

    state = encoding.start(rows)
    inputs = encoding.advance(state, events)     # [rows] heard -> [rows, input_size]
    events = encoding.meant(state, labels)       # what drawn labels mean at the next step; repeats are resolved
    state.reorder(parents)                       # row i goes on from what row parents[i] has heard

`repeats(state)` tells which class each repeat label would stand for, so that the two ways to write one event can be
added up. After Magenta's Melody RNN (Google Brain, 2016) and V. Velardo's melody LSTM (The Sound of AI, 2020).
"""

from __future__ import annotations

from componium.tokens.melody_events import (
    NO_EVENT,
    NOTE_OFF,
    Events,
    check_events,
    events_from_symbols,
    events_of,
    grid_of,
    major_key,
    shifted,
    sounding,
    squashed,
    symbols_from_events,
    tidied,
)
from componium.tokens.melody_key import KeyMelody
from componium.tokens.melody_lookback import Lookback
from componium.tokens.melody_onehot import Inputs, Labels, OneHot, State
from componium.tokens.melody_series import Series

__all__ = ["NO_EVENT", "NOTE_OFF", "Events", "Inputs", "Labels", "State", "OneHot", "Lookback", "KeyMelody", "Series",
           "events_of", "grid_of", "events_from_symbols", "symbols_from_events", "check_events", "sounding", "tidied",
           "major_key", "squashed", "shifted"]
