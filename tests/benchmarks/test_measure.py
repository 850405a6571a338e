"""Timing, ratios and how they are shown."""

from __future__ import annotations

import json
import time

import pytest

from componium.benchmarks import measure
from componium.benchmarks.measure import HEADINGS, Measurement, compare, duration, rows, seconds_of, to_json


def test_a_ratio_is_the_peers_time_divided_by_ours():
    one = Measurement("x", "peer", amount=10, unit="files", ours_seconds=0.5, baseline_seconds=2.0, repeats=3)
    assert one.ratio == 4.0
    assert one.ours_per_second == 20.0
    assert one.to_json()["ratio"] == 4.0


def test_the_slower_job_is_seen_as_slower():
    one = compare("x", lambda: time.sleep(0.002), lambda: time.sleep(0.02), peer="a sleeper", amount=1,
                  unit="nap", repeats=3)
    assert 2 < one.ratio < 20
    assert one.repeats == 3


def test_a_peer_that_did_a_part_is_scaled_up():
    one = compare("x", lambda: None, lambda: time.sleep(0.01), peer="p", amount=10, unit="files", repeats=1,
                  baseline_share=0.1)
    assert one.baseline_seconds >= 0.1


def test_the_median_is_taken(monkeypatch):
    clock = iter([0, 1, 1, 2, 2, 9])  # three jobs of 1, 1 and 7 seconds
    monkeypatch.setattr(measure.time, "perf_counter", lambda: float(next(clock)))
    assert seconds_of(lambda: None, repeats=3) == [1.0, 1.0, 7.0]


def test_a_long_job_is_not_repeated(monkeypatch):
    clock = iter([0, 15, 15, 30])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: float(next(clock)))
    assert seconds_of(lambda: None, repeats=5) == [15.0]


def test_the_table_and_the_json_hold_the_same():
    made = [Measurement("a", "peer", 1000, "files", 0.5, 2.0, 3, "a note"),
            Measurement("b", "", skipped="no peer")]
    table = rows(made)
    assert all(len(row) == len(HEADINGS) for row in table)
    assert table[0] == ("a", "500.00 ms", "2.00 s", "4", "1,000 files; against peer; a note")
    assert table[1] == ("b", "-", "-", "-", "skipped: no peer")
    told = json.loads(json.dumps(to_json(made)))
    assert [each["ratio"] for each in told["measurements"]] == [4.0, None]
    assert told["machine"]["cores"] >= 1


@pytest.mark.parametrize(("seconds", "text"), [(2.5, "2.50 s"), (0.0025, "2.50 ms"), (0.0000025, "2.5 us")])
def test_durations(seconds, text):
    assert duration(seconds) == text
