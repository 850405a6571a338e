from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from componium.instruments.ddsp import (  # noqa: E402
    DDSP,
    DDSPConfig,
    features,
    learned,
    network,
    playing,
    transferring,
)
from componium.instruments.ddsp.features import Features  # noqa: E402
from componium.instruments.ddsp.learned import Learned  # noqa: E402
from componium.instruments.ddsp.notes import NoteStream  # noqa: E402
from componium.instruments.ddsp.playing import Expression  # noqa: E402
from componium.music.audio import Audio  # noqa: E402
from componium.music.errors import BadInput  # noqa: E402
from componium.music.item import Item  # noqa: E402
from componium.music.score import Note, Score, Track, new_score  # noqa: E402

FRAME_RATE_HZ = 100.0
KNOWN = Learned(60.0, (48.0, 72.0), tuple(np.linspace(-40.0, -10.0, learned.QUANTILES)), -75.0,
                (-20.0, -10.0, -3.0, *([0.0] * 37)), 25.0, 5.5)
SMALL = {"sample_rate_hz": 16000, "hop_samples": 320, "loudness_window": 512, "harmonics": 8, "noise_bands": 9,
         "hidden": 16, "width": 16}


def small(**more: object) -> DDSP:
    model = DDSP(DDSPConfig(**(SMALL | more)))
    model.trained, model.learned = True, KNOWN
    return model


def tune(*notes: tuple[float, float, int, int]) -> Score:
    score = new_score(tempo_bpm=60.0)
    score.tracks.append(Track("Part"))
    score.tracks[0].notes.extend([Note(*note) for note in notes])
    return score


def curves(score: Score, **knobs: float) -> Features:
    (line, track), *_ = playing.played_lines(score)
    return playing.curves_of(line, track, KNOWN, Expression(**knobs), frame_rate_hz=FRAME_RATE_HZ, frames=500, seed=0)


def flat(f0_hz: float, frames: int = 200, loudness_db: float = -30.0, confidence: float = 1.0) -> Features:
    def full(value: float) -> np.ndarray:
        return np.full(frames, value, np.float32)

    return Features(full(f0_hz), full(confidence), full(loudness_db), np.zeros((frames, 0), np.float32))


# learning


def test_example_is_cut_where_its_frames_are() -> None:
    model, hop = small(crop_seconds=0.2), 320
    audio = np.arange(100 * hop) % 30000
    prepared = {"audio": audio.astype(np.int16), "f0_hz": np.arange(100, dtype=np.float32) + 1,
                "loudness_db": -np.arange(100, dtype=np.float32)}
    example = model.example(prepared, np.random.default_rng(3))
    frames = round(0.2 * 50)
    assert 0 < example["f0_hz"][0] < example["f0_hz"][1], "this one lies inside"
    assert example["audio"].shape == example["noise"].shape == (frames * hop,) and len(example["f0_hz"]) == 1 + frames
    first = int(example["f0_hz"][1]) - 1
    assert np.allclose(example["audio"] * 32768, audio[first * hop:(first + frames) * hop])


def test_an_excerpt_may_begin_before_a_recording_in_silence() -> None:
    model, hop = small(crop_seconds=0.2), 320
    prepared = {"audio": np.full(40 * hop, 1000, np.int16), "f0_hz": np.full(40, 220, np.float32),
                "loudness_db": np.full(40, -20, np.float32)}
    made = [model.example(prepared, np.random.default_rng(seed)) for seed in range(60)]
    early = [each for each in made if not each["audio"][0] and each["audio"][-1]]
    late = [each for each in made if each["audio"][0] and not each["audio"][-1]]
    assert early and late
    for each in (*early, *late):
        frames = each["audio"].reshape(-1, hop).any(1)
        assert np.array_equal(each["loudness_db"][1:] > -80, frames) and (each["f0_hz"] == 220).all()


def test_silence_is_silent_whatever_was_learned() -> None:
    model = small()
    quiet = model.sound_of(flat(220.0, loudness_db=-80.0))
    assert not quiet.samples.any() and model.sound_of(flat(220.0)).samples.any()


def test_short_recording_is_filled_with_silence() -> None:
    model = small(crop_seconds=1.0)
    prepared = model.prepare(Item("short", "audio", Audio(np.full((1, 1000), 0.5, np.float32), 16000)))
    example = model.example(prepared, None)
    assert len(example["audio"]) == 16000 and not example["audio"][1000:].any()
    assert (example["loudness_db"][6:] == features.SILENT_DB).all() and (example["f0_hz"] > 0).all()


@pytest.mark.parametrize("more", [{}, {"z_size": 4}, {"reverb_seconds": 0.1}, {"envelope": "linear", "layers": 2}])
def test_every_kind_learns_keeps_and_plays(more: dict[str, object]) -> None:
    from componium.training.train import train

    time = np.arange(16000) / 16000
    sound = 0.3 * np.sin(2 * np.pi * 220 * time) + 0.1 * np.sin(2 * np.pi * 440 * time)
    items = [Item("a", "audio", Audio(sound[None].astype(np.float32), 16000))]
    model = DDSP(DDSPConfig(**(SMALL | {"crop_seconds": 0.3} | more)))
    train(model, items, steps=3, device="cpu", settings={"batch": 2, "held_out": 0.0, "precision": "float32"})
    arrays, told = model.state()
    other = DDSP(model.config)
    other.load_state(arrays, told)
    score = tune((0, 1, 60, 80))
    assert np.array_equal(other.play(score).samples, model.play(score).samples)
    assert model.transfer(items[0].content).sample_count == 16000


def test_settings_that_make_no_instrument_are_refused() -> None:
    for wrong in ({"hop_samples": 1}, {"tracker": "ear"}, {"lowest_hz": 1000.0, "highest_hz": 1500.0},
                  {"envelope": "step"}, {"harmonics": 0}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            DDSP(DDSPConfig(**wrong))


def test_what_is_learned_of_notes() -> None:
    frames = 400
    loud = np.full(frames, -80.0, np.float32)
    loud[50:350] = -20.0
    loud[50:55] = (-45, -35, -28, -23, -21)
    time = np.arange(frames) / FRAME_RATE_HZ
    f0 = 440 * 2 ** (0.30 * np.sin(2 * np.pi * 6.0 * time) / 12)
    sure = (loud > -70).astype(np.float32)
    found = learned.learned_from([{"f0_hz": f0.astype(np.float32), "loudness_db": loud, "confidence": sure}] * 3,
                                 FRAME_RATE_HZ)
    assert found.pitch_mean == pytest.approx(69, abs=0.05) and found.quiet_db == -80
    assert found.vibrato_cents == pytest.approx(30, abs=3) and found.vibrato_hz == pytest.approx(6, abs=0.3)
    assert found.attack_db[0] == pytest.approx(-25, abs=1) and found.attack_db[-1] == pytest.approx(0, abs=0.5)
    assert Learned.from_json(found.to_json()) == found
    with pytest.raises(BadInput, match="pitch"):
        learned.learned_from([{"f0_hz": f0, "loudness_db": loud, "confidence": 0 * sure}], FRAME_RATE_HZ)
    whole = found.to_json()
    for wrong in ({"pitch_mean": "high"}, whole | {"pitch_mean": float("nan")}, whole | {"pitch_range": [50.0]},
                  whole | {"loudness_quantiles": whole["loudness_quantiles"][:50]}, whole | {"pitch_range": [70, 50]}):
        with pytest.raises(BadInput, match="damaged"):
            Learned.from_json(wrong)


def test_a_note_that_was_cut_has_no_beginning() -> None:
    steady = {"f0_hz": np.full(200, 220.0), "loudness_db": np.full(200, -20.0), "confidence": np.ones(200)}
    assert learned.learned_from([steady], FRAME_RATE_HZ).attack_db == ()


# the network


def test_partials_share_the_amplitude_and_stop_at_half_the_rate() -> None:
    model = small()
    f0 = torch.tensor([[3000.0, 100.0]])
    amplitudes, magnitudes, _ = model.network.controls(f0, torch.full((1, 2), -20.0), torch.zeros(1, 2, 0),
                                                       model.network.start(1))
    assert bool((amplitudes >= 0).all()) and bool((magnitudes > 0).all())
    assert not bool(amplitudes[0, 0, 2:].any()) and bool((amplitudes[0, 1] > 0).all())


def test_room_in_slices_is_the_room_of_learning() -> None:
    model = small(reverb_seconds=0.2)
    with torch.no_grad():
        assert model.network.reverb is not None
        model.network.reverb.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    dry = torch.randn(1, 320 * 20, generator=torch.Generator().manual_seed(1))
    room = network.Room(model.network.response(), 320)
    wet, _ = room(dry, torch.tensor(1.0), room.start(1))
    assert torch.allclose(wet, model.network.in_room(dry), atol=1e-3)
    assert torch.allclose(room(dry, torch.tensor(0.0), room.start(1))[0], dry)


def test_streams_have_the_room_and_its_knob() -> None:
    model = small(reverb_seconds=0.1)
    with torch.no_grad():
        assert model.network.reverb is not None
        model.network.reverb.normal_(0, 0.05, generator=torch.Generator().manual_seed(0))
    for name, knobs in (("decode", []), ("transfer", [0.0, 0.5, 0.0, 20.0])):
        stream = model.streams()[name]
        assert [control.name for control in stream.controls][-1] == "reverb"
        x = torch.full((1, len(stream.inputs), 6400 // stream.in_ratio), 0.1)
        if name == "decode":
            x[:, 0], x[:, 1] = 220.0, -20.0
        else:
            x[:, 0] = 0.3 * torch.sin(0.08 * torch.arange(6400))
        dry, wet = (stream(x, torch.tensor([*knobs, amount]), stream.start(1))[0] for amount in (0.0, 1.0))
        assert not torch.allclose(dry, wet)
    curves = flat(220.0, frames=20, loudness_db=-20.0)
    x = torch.from_numpy(np.stack([curves.f0_hz, curves.loudness_db]))[None]
    with torch.inference_mode():
        y, _ = model.streams()["decode"](x, torch.tensor([1.0]), model.streams()["decode"].start(1))
    assert np.abs(y[0].numpy() - model.sound_of(curves).samples).max() < 1e-5


def test_what_is_no_number_does_not_stop_a_stream() -> None:
    model = small()
    for stream, bad in ((model.streams()["decode"], (0.0, -5.0, float("nan"), float("inf"))),
                        (model.streams()["transfer"], (float("nan"), float("-inf")))):
        for value in bad:
            state, knobs = stream.start(1), torch.tensor([control.default for control in stream.controls])
            x = torch.full((1, len(stream.inputs), 640 // stream.in_ratio), value)
            for _ in range(2):
                y, state = stream(x, knobs, state)
                x = torch.zeros_like(x) + (220.0 if "f0_hz" in stream.inputs else 0.1)
            assert bool(torch.isfinite(y).all()) and all(bool(torch.isfinite(each).all()) for each in state.values())


def test_z_is_not_played_live_from_sound_and_odd_windows_are_no_matter() -> None:
    assert "transfer" not in small(z_size=4).streams()
    stream = small(loudness_window=513, hop_samples=256).streams()["transfer"]
    stream(torch.zeros(1, 1, 512), torch.zeros(4), stream.start(1))


# transfer


def test_octaves_and_levels_are_moved_as_asked() -> None:
    moved = transferring.shifted(flat(220.0), 1.0, 3.0)
    assert moved.f0_hz[0] == pytest.approx(440.0) and moved.loudness_db[0] == pytest.approx(-27.0)


def test_adjusting_goes_to_the_pitch_and_the_loudness_that_were_learned() -> None:
    given = flat(1046.5).with_(loudness_db=np.linspace(-60, -50, 200, dtype=np.float32))
    moved = transferring.adjusted(given, np.ones(200), KNOWN)
    assert moved.f0_hz[0] == pytest.approx(261.63, rel=1e-3), "C6 becomes C4: the mean that was learned"
    assert moved.loudness_db[0] == pytest.approx(-40, abs=1) and moved.loudness_db[-1] == pytest.approx(-10, abs=1)
    assert transferring.adjusted(given, np.zeros(200), KNOWN) is given


def test_what_is_no_note_is_softened() -> None:
    given = flat(220.0, confidence=0.0)
    notes = transferring.notes_in(given, 0.5, FRAME_RATE_HZ)
    assert not notes.any() and transferring.quieted(given, notes, 20.0).loudness_db[5] == pytest.approx(-50)


def test_confidence_rises_at_once_and_falls_slowly() -> None:
    sure = np.zeros(100, np.float32)
    sure[20] = 1.0
    kept = transferring.held(sure, FRAME_RATE_HZ)
    assert not kept[:20].any() and kept[20] == pytest.approx(1.0) and kept[28] == pytest.approx(np.exp(-1), abs=0.01)


def test_autotune_finds_tuning_and_scale() -> None:
    scale = np.repeat([60, 62, 64, 65, 67, 69, 71, 72], 25) + 0.23
    given = flat(220.0).with_(f0_hz=np.float32(440 * 2 ** ((scale + 0.1 * np.sin(np.arange(200)) - 69) / 12)))
    assert transferring.tuning_cents(scale) == pytest.approx(23, abs=1) and transferring.best_major(scale - 0.23) == 0
    tuned = transferring.midi(transferring.autotuned(given, np.ones(200), 1.0).f0_hz)
    assert np.abs(tuned - scale).max() < 0.03
    same = transferring.autotuned(given, np.ones(200), 0.0)
    assert same is given


# playing


def test_notes_have_their_pitch_and_end() -> None:
    played = curves(tune((0.5, 1, 60, 80), (2.5, 1, 67, 80)), vibrato_cents=0)
    notes = transferring.midi(played.f0_hz)
    assert np.abs(notes[70:140] - 60).max() < 0.15 and np.abs(notes[270:340] - 67).max() < 0.15
    assert (played.loudness_db[:48] == -80).all() and (played.loudness_db[180:248] == -80).all()
    assert played.loudness_db[100] > -40 and (played.confidence[60:140] == 1).all()


def test_velocity_is_loudness_and_dynamics_scales_it() -> None:
    def apart(**knobs: float) -> float:
        played = curves(tune((0, 2, 60, 30), (2.2, 2, 60, 120)), vibrato_cents=0, **knobs)
        return float(np.median(played.loudness_db[300:400]) - np.median(played.loudness_db[80:180]))

    assert apart() > 10 and abs(apart(dynamics=0.0)) < 2 and apart(dynamics=1.5) > apart()


def test_vibrato_attack_and_legato() -> None:
    long = tune((0, 4, 60, 80))
    depth, rate = learned.swing(100 * transferring.midi(curves(long, vibrato_cents=40).f0_hz)[100:380], FRAME_RATE_HZ)
    assert depth == pytest.approx(40, abs=5) and rate == pytest.approx(5.5, abs=0.3)
    assert learned.swing(100 * transferring.midi(curves(long).f0_hz)[100:380], FRAME_RATE_HZ)[0] == pytest.approx(
        25, abs=5), "as in the recordings"
    soft, hard = curves(long, attack=0).loudness_db, curves(long, attack=1).loudness_db
    assert soft[4] < hard[4] - 3
    pair = tune((0, 1, 60, 80), (1.1, 1, 62, 80))
    bound, apart = curves(pair, legato=1.0).loudness_db[90:108], curves(pair, legato=0.0).loudness_db[90:108]
    assert bound.min() > -45 and apart.min() == -80


def test_bound_notes_glide() -> None:
    notes = transferring.midi(curves(tune((0, 1, 60, 80), (1, 1, 72, 80)), vibrato_cents=0).f0_hz)
    assert (np.diff(notes[96:106]) > -0.2).all() and 60.5 < notes[101] < 71.5


def test_bends_and_faders_are_heard() -> None:
    from symusic import ControlChange, PitchBend

    score = tune((0, 4, 60, 80))
    score.tracks[0].pitch_bends.append(PitchBend(2.0, 4096, ttype="Quarter"))
    score.tracks[0].controls.extend([ControlChange(0.0, 11, 100, ttype="Quarter"),
                                     ControlChange(3.0, 11, 50, ttype="Quarter")])
    played = curves(score, vibrato_cents=0)
    assert transferring.midi(played.f0_hz)[250] == pytest.approx(61, abs=0.15)
    assert played.loudness_db[380] < played.loudness_db[280] - 8


def test_chords_are_played_in_lines_and_a_cluster_is_refused() -> None:
    model = small()
    one, two = tune((0, 1, 60, 80)), tune((0, 1, 60, 80), (0, 1, 64, 80))
    assert len(playing.played_lines(two)) == 2
    assert not np.allclose(model.play(one).samples[:, :8000], model.play(two).samples[:, :8000])
    with pytest.raises(BadInput, match="together"):
        model.play(tune(*[(0, 1, pitch, 80) for pitch in range(40, 60)]))
    with pytest.raises(BadInput, match="vibrato_cents"):
        model.play(one, vibrato_cents=-5)


def test_two_parts_of_one_instrument_are_two_players() -> None:
    from componium.performance import perform

    score = tune((0, 1, 60, 80))
    score.tracks.append(score.tracks[0].copy())
    score.tracks[1].name = "Other"
    model = small()
    two = perform(score, model, expression=False, lufs=None).samples
    score.tracks.pop()
    one = perform(score, model, expression=False, lufs=None).samples
    assert not np.allclose(two, 2 * one, atol=1e-4)


def test_notes_out_of_range_are_told_and_folded_on_request() -> None:
    model, high = small(), tune((0, 1, 96, 80), (1, 1, 60, 80))
    assert "1 of 2 notes" in model.advice(high) and "fold" in model.advice(high)
    assert model.advice(tune((0, 1, 60, 80))) == ""
    (line, _), = playing.played_lines(high)
    assert playing.folded(line, KNOWN).pitch.tolist() == [72, 60]
    assert not np.array_equal(model.play(high).samples, model.play(high, fold=True).samples)


def test_brightness_moves_energy_to_higher_partials() -> None:
    model, score = small(), tune((0, 2, 60, 90))
    spectra = [np.abs(np.fft.rfft(model.play(score, brightness=db).samples[0, :32000])) for db in (-6.0, 6.0)]
    places = np.arange(len(spectra[0]))
    dull, bright = ((places * each).sum() / each.sum() for each in spectra)
    assert bright > 1.05 * dull


# notes as they come


def test_keys_become_frames() -> None:
    stream = NoteStream(KNOWN, Expression(vibrato_cents=0), FRAME_RATE_HZ)
    assert (stream.frames(5)[1] == -80).all(), "nothing sounds before a key is pressed"
    stream.note_on(60, 80)
    held = stream.frames(50)
    assert np.abs(transferring.midi(held[0]) - 60).max() < 0.2 and held[1, 20:].min() > -45
    stream.note_on(64, 80)
    assert transferring.midi(stream.frames(20)[0])[-1] == pytest.approx(64, abs=0.2)
    stream.note_off(64)
    assert transferring.midi(stream.frames(20)[0])[-1] == pytest.approx(60, abs=0.2), "the older key sounds again"
    stream.bend(2.0)
    assert transferring.midi(stream.frames(20)[0])[-1] == pytest.approx(62, abs=0.2)
    before = stream.frames(5)[1].mean()
    stream.dynamics(1.0)
    assert stream.frames(5)[1].mean() > before + 5
    stream.all_off()
    assert (stream.frames(60)[1, 40:] == -80).all()
    stream.bend(float("nan"))
    stream.dynamics(float("nan"))
    assert np.isfinite(stream.frames(5)).all()
    for wrong in ((200, 80), (60, 300)):
        with pytest.raises(BadInput):
            stream.note_on(*wrong)


def test_a_key_that_is_struck_again_begins_anew() -> None:
    one, again = (NoteStream(KNOWN, Expression(vibrato_cents=0), FRAME_RATE_HZ) for _ in range(2))
    again.note_on(60)
    again.frames(50)
    for stream in (one, again):
        stream.note_on(60)
    assert again.frames(1)[1, 0] == pytest.approx(one.frames(1)[1, 0], abs=1.5)


def test_a_key_that_is_let_go_before_another_is_no_matter() -> None:
    stream = NoteStream(KNOWN, Expression(), FRAME_RATE_HZ)
    stream.note_off(50)
    stream.note_on(60)
    stream.note_on(62)
    stream.note_off(60)
    assert transferring.midi(stream.frames(30)[0])[-1] == pytest.approx(62, abs=0.3)
    assert np.isfinite(stream.frames(1000)).all()


def test_keys_play_the_stream() -> None:
    model = small()
    keys, decode = model.notes(), model.streams()["decode"]
    state, parts = decode.start(1), []
    keys.note_on(60, 100)
    for _ in range(10):
        x = torch.from_numpy(keys.frames(2))[None]
        with torch.inference_mode():
            y, state = decode(x, torch.zeros(0), state)
        parts.append(y)
    assert float(torch.cat(parts, 2).abs().max()) > 1e-4


def test_loudness_in_parts_is_loudness_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = DDSPConfig(**SMALL)
    sound = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32) * np.linspace(0, 1, 16000, dtype="f4")
    for lead in (0, 2):
        whole = features.heard(sound, config, lead)["loudness_db"]
        monkeypatch.setattr(features, "CHUNK_FRAMES", 7)
        assert np.abs(features.heard(sound, config, lead)["loudness_db"] - whole).max() < 1e-3
        monkeypatch.undo()
