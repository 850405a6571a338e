"""`componium evaluate` for an instrument: what it tells, writes and refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from componium import checkpoint
from componium.cli.judging.resynthesis_page import sampled_instrument
from componium.instruments.ddsp import DDSP, DDSPConfig
from componium.instruments.ddsp.learned import Learned
from componium.music.audio import Audio
from componium.music.origin import read_origin

from .conftest import opened

RATE = 16000
KEYS = {"spectral_loss", "spectral_loss_floor", "spectral_loss_ceiling", "loudness_l1", "f0_l1", "f0_outliers",
        "times_real_time"}


def tone(hz, seconds):
    time = np.arange(round(seconds * RATE)) / RATE
    shape = np.minimum(1.0, np.minimum(time, seconds - time) / 0.05)
    return Audio((0.1 * shape * sum(np.sin(2 * np.pi * hz * k * time) / k for k in (1, 2, 3))).astype(np.float32), RATE)


def tiny(**more):
    made = DDSP(DDSPConfig(sample_rate_hz=RATE, hop_samples=320, harmonics=8, noise_bands=9, hidden=16, width=16))
    made.trained = True
    made.learned = Learned(pitch_mean=60, pitch_range=(48, 72), loudness_quantiles=tuple(np.linspace(-40, -10, 101)))
    made.provenance = {"data": "tones", "pieces": 1, "hashes": ["other"], "names": ["other.wav"], "licence": "unknown",
                       "licences": {"unknown": 1}, "sources": {"mine": 1}} | more
    return made


@pytest.fixture
def flute(folder):
    return checkpoint.save(tiny(), folder / "my.flute")


@pytest.fixture
def recordings(folder):
    for name, hz, seconds in (("a", 262, 1.5), ("b", 330, 1.5), ("c", 392, 4.5)):
        tone(hz, seconds).write(folder / "wavs" / f"{name}.wav")
    return folder / "wavs"


def test_everything_is_told_and_written(run, folder, flute, recordings):
    result = run("evaluate", "my.flute", "--on", "wavs", "--json", "e.json", "--out", "judged")
    assert result.exit_code == 0, result.stderr
    told = json.loads((folder / "e.json").read_text())
    assert set(told) >= KEYS and told["excerpts"] == 3 and told["recordings"] == 3 and not told["learned_from"]
    assert f"{told['spectral_loss']:.2f}" in result.stdout and "3 excerpts" in result.stdout
    assert sorted(path.name for path in (folder / "judged").iterdir()) == [
        "evaluation.html", "evaluation.json", "evaluation.png"]
    assert json.loads((folder / "judged" / "evaluation.json").read_text()) == told
    page = (folder / "judged" / "evaluation.html").read_text()
    assert page.count('<article class="take"') >= 6 + 1 and "data:audio" in page and "http" not in page.replace(
        "http://www.w3.org", "").replace("http-equiv", "").replace('startsWith("http")', "")
    for word in ("spectral loss", "Ode to Joy", "a.wav: resynthesis", "componium evaluate my.flute --on wavs --seed 1",
                 "data:image/png"):
        assert word in page, word
    origin = read_origin(folder / "judged" / "evaluation.png")
    assert origin.verb == "evaluate" and origin.models[0].checkpoint and origin.seed == 1
    again = run("evaluate", "my.flute", "--on", "wavs", "--json", "e.json")
    assert again.exit_code == 1 and "--force" in again.stderr


def test_the_page_plays_and_asks_for_nothing(run, folder, flute, recordings):
    assert run("evaluate", "my.flute", "--on", "wavs", "--count", 1, "--out", "judged").exit_code == 0
    with opened(folder / "judged" / "evaluation.html") as page:
        page.wait_for_selector(".take .plot")
        page.locator(".take button.play").first.click()
        page.wait_for_function("player.audio.currentTime > 0.1 || !player.audio.paused")
        assert not page.troubles
        assert all(url.startswith(("file:", "data:", "blob:")) for url in page.asked)


def test_recordings_that_were_learned_from_are_left_out_or_said_loudly(run, folder, recordings):
    from componium.music.corpus import open_corpus

    hashes = [item.hash for item in open_corpus(recordings)]
    checkpoint.save(tiny(hashes=hashes[:2]), folder / "some.flute")
    result = run("evaluate", "some.flute", "--on", "wavs", "--json", "some.json")
    assert result.exit_code == 0 and "2 of the recordings are left out: the model learned from them" in result.stdout
    assert json.loads((folder / "some.json").read_text())["recordings_known"] == 2
    checkpoint.save(tiny(hashes=hashes), folder / "all.flute")
    result = run("evaluate", "all.flute", "--on", "wavs", "--count", 2)
    assert result.exit_code == 0 and "warning: the model learned from all of these recordings" in result.stderr


def test_a_voice_is_shown_with_its_consent(run, folder, recordings):
    told = {"voice": "yes", "consent_who": "Anna", "consent_for": "a concert", "consent_until": "unlimited",
            "consent_sha256": "a" * 64}
    checkpoint.save(tiny(**told), folder / "my.voice")
    result = run("evaluate", "my.voice", "--on", "wavs", "--count", 1, "--out", "judged")
    assert result.exit_code == 0 and "with the consent of Anna" in result.stdout
    assert "with the consent of Anna for a concert" in (folder / "judged" / "evaluation.html").read_text()


def test_of_one_recording_that_was_learned_from_the_parts_held_out_are_taken(run, folder):
    from componium.music.corpus import open_corpus

    tone(262, 40).write(folder / "solo" / "solo.wav")
    (item,) = open_corpus(folder / "solo")
    checkpoint.save(tiny(hashes=[item.hash], names=[item.name], held_out_hashes=["x"],
                         held_out_names=[f"{item.name} 0:10-0:20"]), folder / "my.solo")
    result = run("evaluate", "my.solo", "--on", "solo", "--json", "e.json")
    told = json.loads((folder / "e.json").read_text())
    assert result.exit_code == 0 and not told["learned_from"] and told["stretches_held_out"] == 1
    assert all(10 <= each["start_seconds"] < 20 for each in told["each"]) and told["excerpts"] == 3


def test_what_cannot_be_used_is_named_and_the_rest_is_judged(run, folder, flute, recordings, midi):
    Audio(np.zeros(RATE, np.float32), RATE).write(recordings / "silent.wav")
    (recordings / "broken.wav").write_bytes(b"RIFF and no more")
    result = run("evaluate", "my.flute", "--on", "wavs")
    assert result.exit_code == 0 and "silent.wav: it is silent" in result.stdout and "broken.wav" in result.stdout


@pytest.mark.parametrize(("words", "told"), [
    (("--on", "midi"), "it is a score, not a recording"),
    (("--on", "nothing_there"), "nothing_there"),
    (("--on", "quiet"), "it is silent"),
    (("--on", "wavs", "--count", 0), "leaves no excerpt"),
    (("--on", "wavs", "--bars", 4), "is an instrument"),
    (("--on", "wavs", "--training", "wavs"), "is an instrument"),
    (("--on", "wavs", "--protocol", "jsb16"), "is an instrument"),
    (("octave_shift=1", "--on", "wavs"), "judged as it is"),
    (("--on", "wavs", "--out", "wavs/a.wav"), "is a file"),
    ((), "--on"),
])
def test_bad_input_is_a_sentence(run, folder, flute, recordings, midi, words, told):
    Audio(np.zeros(RATE, np.float32), RATE).write(folder / "quiet" / "silent.wav")
    before = set(folder.rglob("*"))
    result = run("evaluate", "my.flute", *words)
    assert result.exit_code == 1 and told in result.stderr and result.stderr.count("\n") <= 3, result.stderr
    assert "should not" not in result.stderr and set(folder.rglob("*")) == before


def test_an_untrained_model_and_one_that_is_not_there_are_told(run, folder, recordings):
    result = run("evaluate", "ddsp", "--on", "wavs")
    assert result.exit_code == 1 and "train" in result.stderr
    result = run("evaluate", "not.there/", "--on", "wavs")
    assert result.exit_code == 1 and "not.there" in result.stderr


def test_a_composer_is_not_judged_on_recordings(run, model, recordings):
    result = run("evaluate", model, "--on", "wavs")
    assert result.exit_code == 1 and "wavs holds recordings" in result.stderr and "should not" not in result.stderr


@pytest.mark.parametrize("where", ["componium.evaluation.resynthesis.paired",
                                   "componium.evaluation.resynthesis.times_real_time",
                                   "componium.cli.judging.resynthesis_page.spectrum"])
def test_it_stops_at_ctrl_c_without_leaving_anything(run, folder, flute, recordings, monkeypatch, where):
    def stopped(*_given, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, stopped)
    before = set(folder.rglob("*"))
    result = run("evaluate", "my.flute", "--on", "wavs", "--count", 1, "--out", "judged")
    assert result.exit_code == 130 and "nothing was left half-written" in result.stderr
    assert set(folder.rglob("*")) == before


def test_the_help_shows_an_example(run):
    result = run("evaluate", "--help")
    assert "componium evaluate my.instrument --on RECORDINGS" in result.stdout


@pytest.mark.parametrize(("text", "instrument"), [
    ("my.sax alto_sax", "alto sax"), ("oboe.ddsp solos", "oboe"), ("model data", "flute"), ("violin, viola", "violin"),
    ("drain", "flute"), ("pan-flute", "pan flute")])
def test_the_sampled_instrument_is_that_of_the_name(text, instrument):
    assert sampled_instrument(text) == instrument
