from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest


def test_streams_of_an_instrument_are_told_with_their_delay(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from componium import checkpoint
    from componium.instruments.ddsp import DDSP, DDSPConfig

    model = DDSP(DDSPConfig(sample_rate_hz=16000, hop_samples=320, loudness_window=512, harmonics=8, noise_bands=9,
                            hidden=16, width=16))
    model.trained = True
    model.learned = dataclasses.replace(model.learned, loudness_quantiles=tuple(float(db) for db in range(-110, -9)))
    told = " ".join(run("info", checkpoint.save(model, tmp_path / "m")).stdout.split())
    assert "decode f0_hz, loudness_db sound 320 samples 0 samples, 0.0 ms" in told
    assert "transfer sound sound 320 samples 320 samples, 20.0 ms" in told
    assert "MY_RECORDINGS" in run("info", "ddsp").stdout
