"""Resynthesis of recordings: the figures on sounds and models whose answers are known."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from componium.evaluation import resynthesis as judged
from componium.evaluation.instrument import Curves
from componium.evaluation.resynthesis import mean_of, way
from componium.evaluation.resynthesis_report import from_best_to_worst
from componium.instruments.ddsp import DDSP, DDSPConfig
from componium.instruments.ddsp.features import Features
from componium.instruments.ddsp.learned import Learned
from componium.music.audio import Audio
from componium.music.corpus import Corpus
from componium.music.errors import BadInput, Cancelled
from componium.music.item import Item

RATE, HOP = 16000, 320


def tone(hz, seconds=2.0, level=0.1):
    time = np.arange(round(seconds * RATE)) / RATE
    rise = np.minimum(1.0, np.minimum(time, seconds - time) / 0.05)
    return (rise * level * sum(np.sin(2 * np.pi * hz * k * time) / k for k in (1, 2, 3))).astype(np.float32)


def corpus_of(*sounds):
    return Corpus([Item(f"tone {number}", "audio", Audio(sound, RATE), hash=f"hash {number}",
                        seconds=len(sound) / RATE) for number, sound in enumerate(sounds)], name="tones")


@pytest.fixture(scope="module")
def model():
    made = DDSP(DDSPConfig(sample_rate_hz=RATE, hop_samples=HOP, harmonics=8, noise_bands=9, hidden=16, width=16))
    made.trained = True
    made.learned = Learned(pitch_mean=60, pitch_range=(48, 72), loudness_quantiles=tuple(np.linspace(-40, -10, 101)))
    return made


@pytest.fixture(scope="module")
def report(model):
    return judged.resynthesis(model, corpus_of(tone(262), tone(330), tone(392, 5.5)), count=4)


class Tape:
    """An instrument that plays back what it heard last, ``cents`` higher and ``db`` louder, as its curves say."""

    name, learns_from = "tape", "recordings"
    sample_rate_hz, frame_rate_hz = RATE, RATE / HOP
    config = DDSPConfig(sample_rate_hz=RATE, hop_samples=HOP)

    def __init__(self, model, cents=0.0, db=0.0, unsure=0.0):
        self.model, self.cents, self.db, self.unsure, self.kept = model, cents, db, unsure, None
        self.provenance = {"hashes": ["other"]}

    def ready(self):
        return self

    def hear(self, audio):
        heard = self.model.hear(audio)
        if self.kept is not None and audio.sample_count == self.kept.shape[1] and np.array_equal(
                audio.samples, self.kept):
            count = round(self.unsure * len(heard))
            sure = heard.confidence.copy()
            sure[len(sure) // 2:len(sure) // 2 + count] = 0.1
            return Features(heard.f0_hz * np.float32(2 ** (self.cents / 1200)), sure,
                            heard.loudness_db + np.float32(self.db), heard.z)
        self.last = audio.samples
        return heard

    def sound_of(self, curves, *, seed=0):
        self.kept = self.last.copy()
        return Audio(self.kept, RATE)

    def transfer(self, audio, *, seed=0):
        return audio

    def play(self, score, *, seed=0):
        return Audio(np.zeros(30 * RATE, np.float32), RATE)


def test_a_perfect_copy_has_no_distance(model):
    report = judged.resynthesis(Tape(model), corpus_of(tone(262), tone(330)))
    for key in ("spectral_loss", "multi_resolution_stft", "mel_distance", "loudness_l1", "f0_l1", "f0_outliers",
                "spectral_loss_floor"):
        assert report.values[key].value == pytest.approx(0, abs=1e-6), key
    assert report.values["spectral_loss_ceiling"].value > 1
    assert report.values["way"].value == pytest.approx(1)
    assert report.notes["recordings"] == pytest.approx(report.notes["resyntheses"], nan_ok=True)


def test_pitch_and_loudness_that_are_off_are_told_by_as_much(model):
    report = judged.resynthesis(Tape(model, cents=50, db=-4), corpus_of(tone(262), tone(330)))
    assert report.values["f0_l1"].value == pytest.approx(0.5, abs=0.01)
    assert report.values["f0_l1_sure"].value == pytest.approx(0.5, abs=0.01)
    assert report.values["loudness_l1_db"].value == pytest.approx(4, abs=0.01)
    assert report.values["loudness_l1"].value == pytest.approx(4 / 80, abs=1e-3)


def test_frames_that_are_sure_of_the_recording_alone_are_outliers(model):
    report = judged.resynthesis(Tape(model, cents=50, unsure=0.2), corpus_of(tone(262), tone(330)))
    assert report.values["f0_outliers"].value == pytest.approx(0.2, abs=0.03)
    assert report.values["f0_l1_sure"].value == pytest.approx(0.5, abs=0.01)


def test_only_frames_with_a_sure_pitch_in_the_recording_count():
    def curves(notes, sure, loud):
        f0 = 440 * 2 ** ((np.array(notes, np.float64) - 69) / 12)
        return Curves(f0, np.array(sure), np.array(loud, np.float64), HOP, RATE)

    heard = curves([60, 60, 60, 60], [1.0, 0.5, 0.85, 0.9], [-20, -20, -20, -80])
    again = curves([61, 72, 60, 64], [1.0, 0.1, 0.9, 0.84], [-20, -28, -20, -80])
    later = curves([60, 60, 60.5, 60], [1.0, 1.0, 1.0, 0.1], [-20] * 4)
    pair = judged.Pair(None, heard, None, None, again, later)
    told = {key: each.value for key, each in judged.curve_distances([pair]).items()}
    assert told == pytest.approx({"loudness_l1": 2 / 80, "loudness_l1_db": 2.0, "f0_l1": 5 / 3, "f0_l1_sure": 0.5,
                                  "f0_l1_floor": 0.25, "f0_outliers": 1 / 3})
    deaf = dataclasses.replace(pair, heard=curves([60] * 4, [0.1] * 4, [-20] * 4))
    assert judged.curve_distances([deaf])["f0_l1"].value is None


def test_floor_loss_and_ceiling_are_those_of_noise_resynthesis_and_another_excerpt(report):
    values = report.values
    assert 0 < values["spectral_loss_floor"].value < values["spectral_loss"].value
    assert values["spectral_loss"].low < values["spectral_loss"].value < values["spectral_loss"].high
    loss = np.mean([judged._loss(pair.target, pair.estimate) for pair in report.pairs])
    assert values["spectral_loss"].value == pytest.approx(loss)
    first, other = report.pairs[0], judged.others(report.pairs)[0]
    assert other.excerpt.recording != first.excerpt.recording
    assert 0 <= values["f0_l1_floor"].value < 0.05
    assert all(values[key].value > 0 for key in ("times_real_time", "times_real_time_transfer"))
    assert values["times_real_time"].value > values["times_real_time_transfer"].value


def test_both_sounds_get_the_gain_of_the_recording(report):
    for pair in report.pairs:
        assert Audio(pair.target, RATE).loudness_lufs == pytest.approx(-20, abs=0.1)
        assert np.allclose(pair.estimate, pair.made * pair.excerpt.gain)
        assert len(pair.made) == len(pair.excerpt.samples)


def test_the_way_is_one_at_the_floor_and_none_at_the_ceiling():
    assert way([1.0, 1.0], [1.0, 1.0], [3.0, 3.0]).value == 1
    assert way([3.0, 3.0], [1.0, 1.0], [3.0, 3.0]).value == 0
    assert way([2.0, 1.5], [1.0, 1.0], [3.0, 3.0]).value == pytest.approx(0.625)
    assert way([2.0], [3.0], [3.0]).value is None and way([2.0], [1.0], []).value is None


def test_means_pool_what_is_counted():
    assert mean_of([2.0, 30.0], [1.0, 9.0]).value == pytest.approx(3.2)
    assert mean_of([2.0, 0.0], [4.0, 0.0]).value == 0.5 and mean_of([0.0], [0.0]).value is None
    assert mean_of([1.0, 3.0]).value == 2 and mean_of([]).value is None


def test_the_json_has_the_agreed_keys_and_no_numbers_that_json_has_not(report):
    told = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert {"spectral_loss", "spectral_loss_floor", "spectral_loss_ceiling", "loudness_l1", "f0_l1", "f0_outliers",
            "times_real_time", "protocol", "excerpts", "seconds", "tracker", "sample_rate_hz"} <= set(told)
    assert told["excerpts"] == len(told["each"]) == 4 and told["recordings"] == 3 and told["tracker"] == "causal"
    assert told["played"]["velocities"].keys() == {"20", "40", "60", "80", "100", "120"}
    assert len(report.rows()[0]) == len(report.COLUMNS) and len(report.note_rows()[0]) == len(report.NOTE_COLUMNS)


def test_the_same_seed_gives_the_same_figures(model, report):
    again = judged.resynthesis(model, corpus_of(tone(262), tone(330), tone(392, 5.5)), count=4)
    for key, each in report.values.items():
        if not key.startswith("times"):
            assert again.values[key] == each, key


def test_a_single_excerpt_has_no_ceiling(model):
    report = judged.resynthesis(model, corpus_of(tone(262)))
    assert report.values["spectral_loss_ceiling"].value is None and report.values["way"].value is None
    assert any("single excerpt" in text for text in report.messages())


def test_what_was_learned_from_is_said_loudly(model):
    model = dataclass_copy(model, {"hashes": ["hash 0", "hash 1"]})
    report = judged.resynthesis(model, corpus_of(tone(262), tone(330)))
    assert report.messages()[0].startswith("WARNING: the model learned from all")
    assert report.to_json()["learned_from"] and "LEARNED FROM" in report.protocol
    report = judged.resynthesis(model, corpus_of(tone(262), tone(330), tone(392)))
    assert report.recordings == 1 and "2 of the recordings are left out" in report.messages()[0]


def dataclass_copy(model, provenance):
    made = DDSP(model.config)
    made.load_state(*model.state())
    made.provenance = provenance
    return made


def test_threads_are_as_before(model):
    import torch

    before = torch.get_num_threads()
    with judged.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_excerpts_are_shown_from_the_best_to_the_worst(report):
    pairs = [dataclasses.replace(report.pairs[0], loss=float(loss)) for loss in (5, 1, 4, 2, 3)]
    assert [(rank, pair.loss) for rank, pair in from_best_to_worst(pairs, 3)] == [(1, 1), (3, 3), (5, 5)]
    assert len(from_best_to_worst(pairs, 9)) == 5 and len(from_best_to_worst(pairs[:1], 8)) == 1


def test_bad_input_is_told(model):
    with pytest.raises(BadInput, match="train"):
        judged.resynthesis(DDSP(model.config), corpus_of(tone(262)))
    with pytest.raises(BadInput, match="1 excerpt or more"):
        judged.resynthesis(model, corpus_of(tone(262)), count=0)
    with pytest.raises(BadInput, match="silent"):
        judged.resynthesis(model, corpus_of(np.zeros(RATE, np.float32)))

    class Composer:
        name = "composer"

    with pytest.raises(BadInput, match="no instrument"):
        judged.resynthesis(Composer(), corpus_of(tone(262)))


def test_it_can_be_stopped(model):
    def stop(done, _text=""):
        if done > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        judged.resynthesis(model, corpus_of(tone(262), tone(330)), progress=stop)


def test_a_tune_that_is_played_as_written_is_heard_so(model):
    from componium.evaluation.played import VELOCITIES, played, tune_near

    tune = tune_near(60)
    pitches = [note.pitch for note in tune.tracks[0].notes]
    assert (min(pitches) + max(pitches)) / 2 == pytest.approx(60, abs=0.5)

    class Sine(Tape):
        def play(self, score, *, seed=0):
            timed = score.to("second")
            sound = np.zeros(30 * RATE, np.float32)
            for note in timed.tracks[0].notes:
                part = tone(440 * 2 ** ((note.pitch - 69 + 0.1) / 12), note.duration, 0.001 * note.velocity)
                first = round(note.start * RATE)
                sound[first:first + len(part)] += part
            return Audio(sound, RATE)

    found = played(Sine(model), 60, 1)
    assert found.cents == pytest.approx(10, abs=1.5) and found.worst_cents < 15
    assert found.rising == 1
    assert found.range_db == pytest.approx(20 * math.log10(VELOCITIES[-1] / VELOCITIES[0]), abs=0.3)
