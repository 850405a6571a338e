"""Work in child processes: answers in order, one job's death costs that job, and nothing outlives its parent."""

from __future__ import annotations

import itertools
import time

import pytest

from componium.music.errors import Cancelled
from componium.training.workers import run_jobs


@pytest.fixture(autouse=True)
def found_by_workers(monkeypatch, tmp_path):
    (tmp_path / "jobs_of_a_test.py").write_text(
        "import os, time\n"
        "def double(job, tell):\n"
        "    print('what a library prints is no answer')\n"
        "    if job['n'] == 2: raise ValueError('two')\n"
        "    if job['n'] == 3: os._exit(9)\n"
        "    if job['n'] > 90:\n"
        "        for _ in range(job['n']): time.sleep(0.25); tell(0.5)\n"
        "    return {'n': 2 * job['n'], 'pid': os.getpid()}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_answers_come_in_order_and_a_death_costs_one_job():
    shares = []
    answers = run_jobs("jobs_of_a_test:double", [{"n": n} for n in range(6)], told=lambda s: shares.append(list(s)),
                       workers=2)
    assert [answer.get("n") for answer in answers] == [0, 2, None, None, 8, 10]
    assert answers[2] == {"failed": "ValueError: two"} and "ended the working process" in answers[3]["failed"]
    assert shares[-1] == [1.0] * 6 and all(a <= b for one, two in itertools.pairwise(shares)
                                           for a, b in zip(one, two, strict=True))


def test_whoever_stops_leaves_no_process_behind():
    def told(shares):
        if shares[1] == 0.5:
            raise Cancelled("stop")

    begun = time.monotonic()
    with pytest.raises(Cancelled):
        run_jobs("jobs_of_a_test:double", [{"n": 0}, {"n": 100}], told=told, workers=2)
    assert time.monotonic() - begun < 15  # not the 25 seconds of the job
