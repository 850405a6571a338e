"""The classifier in `componium compare`: a row for every subject, and a reason where there is no figure."""

from __future__ import annotations

import json

import numpy as np
import pytest

from componium.cli.compare import tell_apart
from componium.cli.judging import Subject
from componium.cli.judging.comparison_page import told_apart_rows
from componium.evaluation import measuring
from componium.evaluation.reference import measured_reference
from componium.music.grid import Grid, from_grid
from componium.music.item import Item


def items(first: int, leap: int, count: int = 8) -> list[Item]:
    found = []
    for seed in range(first, first + count):
        steps = np.random.default_rng(seed).integers(-leap, leap + 1, (16, 2))
        pitches = np.repeat(np.clip(np.array([70, 50]) + np.cumsum(steps, axis=0), [60, 40], [84, 59]), 4, axis=0)
        score = from_grid(Grid(pitches, np.tile([[False], [True], [True], [True]], (16, 2))))
        found.append(Item(f"piece {seed}", "score", score))
    return found


def test_every_subject_has_a_row_and_too_few_pieces_a_reason(monkeypatch):
    monkeypatch.setattr(measuring, "FEW", 1000)
    reference = measured_reference(items(0, 2))
    far, few = Subject("far", items=items(50, 9)), Subject("few", items=items(90, 2, 3))
    for subject in (far, few):
        tell_apart(subject, reference, 1, lambda *_: None)
    header, rows = told_apart_rows([far, few], tells=2)
    assert [len(row) for row in rows] == [len(header)] * 2
    assert rows[0][0] == "far" and float(rows[0][1].rstrip("%")) > 80 and rows[0][4] == "8 and 8 of 16 beats"
    assert rows[0][5].count(",") == 1 and rows[0][5][-1] in "+-"
    assert rows[1][1] == "-" and "told apart from 5 pieces each" in rows[1][5]
    assert json.dumps(far.told_apart.to_json(), allow_nan=False)
    assert few.told_apart is None


def test_stopping_is_no_missing_figure():
    class StopError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StopError

    with pytest.raises(StopError):
        tell_apart(Subject("far", items=items(50, 9)), measured_reference(items(0, 2)), 1, stop)
