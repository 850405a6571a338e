"""The pitch trackers: what both promise, how well they hear, and what makes the causal one playable."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from componium.dsp import pitch
from componium.dsp.pitch import TRACKERS, VOICED, tracker
from componium.music.errors import BadInput, MissingExtra

torch = pytest.importorskip("torch")
from componium.dsp.pitch_causal import CausalPitch, fast_size  # noqa: E402

_spec = importlib.util.spec_from_file_location("componium_test_pitch_sounds",
                                               Path(__file__).parent / "pitch_sounds.py")
sounds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sounds)
HOP, RATE, SAX = sounds.HOP, sounds.RATE, sounds.SAX
hz_of, note, scores = sounds.hz_of, sounds.note, sounds.scores

needs_sax = pytest.mark.skipif(not SAX.is_dir(), reason="COMPONIUM_BENCH_DATA names no folder with audio/alto_sax")
CAUSAL_RANGE = range(50, 95, 4)  # MIDI, inside 130..2000 Hz


@pytest.fixture(scope="module", params=TRACKERS)
def hears(request):
    if request.param == "swift-f0":
        pytest.importorskip("swift_f0")
    return tracker(request.param)


@pytest.fixture(scope="module")
def causal():
    return tracker("causal")


@pytest.fixture(scope="module")
def swift():
    pytest.importorskip("swift_f0")
    return tracker("swift-f0")


# What both promise.

def test_names_and_ranges_are_told(hears):
    assert hears.name in TRACKERS
    assert 0 < hears.lowest_hz < hears.highest_hz
    with pytest.raises(BadInput, match=r"'casual' \(did you mean causal\?\)"):
        tracker("casual")
    with pytest.raises(BadInput, match="swift-f0, causal"):
        tracker("zzz")
    narrow = tracker(hears.name, lowest_hz=200, highest_hz=900)
    assert (narrow.lowest_hz, narrow.highest_hz) == (200.0, 900.0)
    for lowest, highest in ((1, None), (None, 9000), (500, 500), (900, 200), (float("nan"), None)):
        with pytest.raises(BadInput, match="pitch"):
            tracker(hears.name, lowest_hz=lowest, highest_hz=highest)


def test_a_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "swift_f0", None)
    with pytest.raises(MissingExtra, match=r"pip install 'componium\[neural\]'"):
        tracker("swift-f0")


def test_frames_are_placed_on_their_samples(hears):
    first, _ = note("saw", 220.0, seconds=0.5)
    second, _ = note("saw", 440.0, seconds=0.5)
    found = hears.track(np.concatenate([first, second]), RATE, hop_samples=480, first_sample=12000, frames=50)
    assert found.f0_hz.shape == found.confidence.shape == (50,)
    assert found.f0_hz.dtype == found.confidence.dtype == np.float32
    change = np.flatnonzero(found.f0_hz > 310)[0]  # the second note begins on frame 25
    assert 23 <= change <= 29
    assert len(hears.track(first, RATE, hop_samples=HOP).f0_hz) == -(-len(first) // HOP)


def test_frames_outside_the_sound_have_no_pitch(hears):
    sound, _ = note("saw", 330.0)
    found = hears.track(sound, RATE, hop_samples=4800, first_sample=-48000, frames=30)
    assert found.confidence[[0, 5, 8]].max() < 0.1 and found.confidence[[16, 20, 29]].max() < 0.1
    assert found.confidence[[11, 12]].min() > VOICED
    assert hears.track(sound, RATE, hop_samples=HOP, frames=0).f0_hz.shape == (0,)
    assert hears.track(sound[:0], RATE, hop_samples=HOP).f0_hz.shape == (0,)
    late = hears.track(sound, RATE, hop_samples=HOP, first_sample=10 * RATE, frames=3)
    assert late.confidence.max() < 0.1


@pytest.mark.parametrize("sound", [
    np.zeros(9600), np.full(9600, 0.7), np.ones(1), np.array([0.5, -0.5]), np.zeros(0), np.full(9600, 1e-38),
    np.random.default_rng(1).standard_normal(9600) * 1e4, np.where(np.arange(9600) == 5000, 1.0, 0.0),
    np.sign(np.sin(np.arange(9600) * 0.02)) * 100, note("sine", 60.0)[0], note("sine", 9000.0)[0],
], ids=["silence", "dc", "one sample", "two samples", "nothing", "denormal", "loud noise", "click", "loud square",
        "too low", "too high"])
def test_any_sound_gives_a_pitch_that_can_be_played(hears, sound):
    found = hears.track(sound.astype(np.float32), RATE, hop_samples=HOP, frames=20)
    assert np.isfinite(found.f0_hz).all() and np.isfinite(found.confidence).all()
    assert (found.f0_hz >= hears.lowest_hz).all() and (found.f0_hz <= hears.highest_hz).all()
    assert (found.confidence >= 0).all() and (found.confidence <= 1).all()


@pytest.mark.parametrize("sound", [np.zeros(9600), np.full(9600, 0.7), np.zeros(0)], ids=["silence", "dc", "nothing"])
def test_where_there_is_nothing_there_is_no_pitch(hears, sound):
    found = hears.track(sound.astype(np.float32), RATE, hop_samples=HOP, first_sample=2400, frames=8)
    assert found.confidence.max() < 0.3
    assert len(set(found.f0_hz.tolist())) == 1


@pytest.mark.parametrize(("sound", "rate", "settings", "told"), [
    (np.array([0, np.nan, 0], np.float32), RATE, {}, "NaN or infinity"),
    (np.array([0, np.inf, 0], np.float32), RATE, {}, "NaN or infinity"),
    (np.zeros((2, 100), np.float32), RATE, {}, "one channel"),
    (np.zeros(100, np.int16), RATE, {}, "floating-point"),
    (np.zeros(100, np.float32), 0, {}, "sample rate"),
    (np.zeros(100, np.float32), RATE, {"hop_samples": 0}, "hop"),
    (np.zeros(100, np.float32), RATE, {"hop_samples": 1.5}, "hop"),
    (np.zeros(100, np.float32), RATE, {"frames": -1}, "number of frames"),
    (np.zeros(100, np.float32), RATE, {"first_sample": 0.5}, "whole sample"),
])
def test_what_cannot_be_heard_is_told(hears, sound, rate, settings, told):
    with pytest.raises(BadInput, match=told):
        hears.track(sound, rate, **{"hop_samples": HOP, **settings})


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_any_sample_rate_is_heard(hears, rate):
    notes = [note("saw", hz_of(midi), rate=rate) for midi in (53, 60, 69, 76)]
    found = scores(hears, notes, rate=rate, hop=rate // 100)
    assert found.raw_pitch_accuracy >= 0.98
    assert found.voicing_recall >= 0.98


@pytest.mark.parametrize("peak", [1e-3, 30.0], ids=["-60 dBFS", "+30 dBFS"])
def test_quiet_and_loud_notes_are_heard(hears, peak):
    found = scores(hears, [note("saw", hz_of(midi), peak=peak, noise_db=-50) for midi in (53, 60, 69, 76)])
    assert found.raw_pitch_accuracy >= 0.98
    assert found.voicing_recall >= 0.98


def test_noise_has_no_pitch(hears):
    noise = np.random.default_rng(3).standard_normal(RATE).astype(np.float32)
    coloured = np.convolve(noise, np.ones(6, np.float32) / 6, mode="same")
    for sound in (0.2 * noise, 0.2 * coloured):
        found = hears.track(sound, RATE, hop_samples=HOP)
        assert (found.confidence >= VOICED).mean() < 0.05


def test_chords_are_less_sure_than_notes(causal):
    notes = [note("saw", hz_of(midi))[0] for midi in (60, 64, 67, 71)]
    alone = causal.track(notes[0], RATE, hop_samples=HOP).confidence[4:-4]
    chord = causal.track(sum(notes), RATE, hop_samples=HOP).confidence[4:-4]
    assert chord.mean() < alone.mean() - 0.1


def test_lookahead_is_true(hears):
    """What comes later than the lookahead after a frame's centre changes nothing of the frame."""
    sound = np.concatenate([note("saw", 247.0, seconds=0.5, noise_db=-30)[0]] * 2)
    cut, hop = 30000, 240
    other = sound.copy()
    other[cut:] = np.random.default_rng(0).standard_normal(len(sound) - cut) * 0.3
    one, two = (hears.track(each, RATE, hop_samples=hop) for each in (sound, other))
    decided = np.arange(len(one.f0_hz)) * hop + hears.lookahead_samples(RATE) <= cut
    sure = decided & (one.confidence >= VOICED)  # swift-f0 fills the others from both sides
    np.testing.assert_allclose(one.f0_hz[sure], two.f0_hz[sure], rtol=1e-3)
    np.testing.assert_allclose(one.confidence[decided], two.confidence[decided], atol=2e-3)
    changed = np.abs(one.confidence - two.confidence) > 2e-3
    assert changed[np.flatnonzero(decided)[-1] + 1:].any()


def test_delays_are_those_that_are_declared(causal, swift):
    assert causal.lookahead_samples(48000) == 369  # one period of 130 Hz: 7.7 ms
    assert 0.18 < swift.lookahead_samples(48000) / 48000 <= 0.201


# How well they hear. The limits leave room below what was measured.

@pytest.mark.parametrize("kind", ["sine", "saw", "odd", "weak odd", "missing"])
def test_made_notes_are_heard_by_causal(causal, kind):
    found = scores(causal, [note(kind, hz_of(midi + 0.3)) for midi in CAUSAL_RANGE if kind != "missing" or midi < 84])
    assert found.raw_pitch_accuracy >= 0.99
    assert found.voicing_recall >= 0.99


@pytest.mark.parametrize(("kind", "low"), [("saw", 36), ("sine", 40), ("missing", 36), ("odd", 48), ("weak odd", 48)])
def test_made_notes_are_heard_by_swift(swift, kind, low):
    midis = [midi for midi in range(low, 95, 5) if kind != "missing" or midi < 84]
    found = scores(swift, [note(kind, hz_of(midi + 0.3)) for midi in midis])
    assert found.raw_pitch_accuracy >= 0.98
    assert found.voicing_recall >= 0.9


def test_bends_and_breath_are_followed(hears):
    for settings in ({"vibrato_cents": 60}, {"glide_cents": -700}, {"noise_db": -20}):
        found = scores(hears, [note("saw", hz_of(midi), **settings) for midi in (60, 67, 74, 81)])
        assert found.raw_pitch_accuracy >= 0.98, settings
        assert found.voicing_recall >= 0.98, settings


def test_causal_places_pitch_within_cents(causal):
    for midi in CAUSAL_RANGE:
        sound, hz = note("saw", hz_of(midi + 0.3))
        found = causal.track(sound, RATE, hop_samples=HOP).f0_hz[4:-4]
        assert np.abs(1200 * np.log2(found / hz[0])).max() < 6


@pytest.mark.parametrize(("program", "lowest", "highest"), [
    (65, 50, 78), (73, 60, 94), *(pytest.param(*each, marks=pytest.mark.slow) for each in (
        (40, 55, 90), (42, 50, 74), (56, 54, 82), (71, 50, 88))),
], ids=["alto sax", "flute", "violin", "cello", "trumpet", "clarinet"])
def test_soundfont_notes_are_heard(hears, program, lowest, highest):
    pytest.importorskip("pretty_midi")
    found = scores(hears, sounds.soundfont_notes(program, lowest, highest, step=4))
    assert found.raw_pitch_accuracy >= 0.98
    assert found.octave_up + found.octave_down <= 0.015
    assert found.voicing_recall >= 0.95


@needs_sax
@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_a_real_saxophone_is_heard(hears, every):
    found = sounds.sax_scores(hears, every)
    assert found.frames > 50000 / every
    assert found.raw_pitch_accuracy >= 0.994
    assert found.octave_up + found.octave_down <= 0.004
    assert found.voicing_recall >= 0.99


# Swift-f0: what is ours of it.

def test_swift_in_blocks_is_the_whole(swift, monkeypatch):
    from componium.dsp import pitch_swift

    sound = np.concatenate([note("saw", hz_of(midi), seconds=0.7, noise_db=-40)[0] for midi in (50, 57, 64, 71, 60)])
    whole = swift.track(sound, 44100, hop_samples=441)
    monkeypatch.setattr(pitch_swift, "BLOCK_SECONDS", 1)
    blocks = swift.track(sound, 44100, hop_samples=441)
    np.testing.assert_allclose(blocks.f0_hz, whole.f0_hz, rtol=1e-4)
    np.testing.assert_allclose(blocks.confidence, whole.confidence, atol=1e-4)


def test_swift_agrees_with_the_package_where_that_is_right(swift):
    import swift_f0

    sound, _ = note("saw", 196.0, seconds=1.0, rate=16000)
    theirs = swift_f0.SwiftF0(threads=1).detect(10 * sound, 16000)
    ours = swift.track(sound, 16000, hop_samples=256)
    np.testing.assert_allclose(ours.f0_hz[14:40], theirs.pitch_hz[14:40], rtol=1e-3)


def test_the_formula_is_believed_where_it_is_sure_of_another_octave():
    from componium.dsp.pitch_swift import octaves_checked

    network = pitch.Pitch(np.array([600, 600, 600, 150, 150, 440], np.float32), np.ones(6, np.float32))
    formula = pitch.Pitch(np.array([300, 200, 200, 450, 450, 466], np.float32),
                          np.array([0.9, 0.9, 0.7, 0.99, 0.9, 1.0], np.float32))
    assert octaves_checked(network, formula).tolist() == [300, 200, 600, 450, 150, 440]


def test_between_frames_a_note_is_even_and_two_notes_do_not_mix():
    from componium.dsp.pitch_swift import between, held

    frames = pitch.Pitch(np.array([100, 102, 200, 300], np.float32), np.array([1, 1, 1, 0], np.float32))
    found = between(frames, np.array([0.5, 1.25, 1.75, 2.25, 2.75, -1.0, 9.0]))
    np.testing.assert_allclose(found.f0_hz[:5], [np.sqrt(100 * 102), 102, 200, 200, 200], rtol=1e-5)
    np.testing.assert_allclose(found.confidence, [1, 1, 1, 0.75, 0.25, 0, 0], atol=1e-6)
    rows = held(np.array([9, 1, 9, 9, 2, 9], np.float32), np.array([0, 1, 0, 0, 1, 0], bool), 5.0)
    assert rows.tolist() == [1, 1, 1, 2, 2, 2]
    assert held(np.ones(2, np.float32), np.zeros(2, bool), 5.0).tolist() == [5, 5]


# Causal: in slices it is the same.

def a_line(rate=RATE):
    notes = [note("saw", hz_of(midi), seconds=0.2, noise_db=-40, rate=rate)[0] for midi in (52, 64, 57, 81, 69)]
    gap = np.zeros(rate // 16, np.float32)
    return np.concatenate([np.concatenate([each, gap]) for each in notes])


def streamed(stream, sound, hop, blocks):
    """Return f0 and confidence [B, F] of sound [B, T] in blocks of so many hops, in turn."""
    state, at, rows, turn = stream.start(sound.shape[0]), 0, [], 0
    while at + hop <= sound.shape[1]:
        many = min(blocks[turn % len(blocks)], (sound.shape[1] - at) // hop)
        kept = {key: value.clone() for key, value in state.items()}
        f0, confidence, after = stream.step(sound[:, at:at + many * hop], state)
        assert all(torch.equal(kept[key], state[key]) for key in state)
        assert {key: value.shape for key, value in after.items()} == {key: value.shape for key, value in kept.items()}
        rows.append((f0, confidence))
        state, at, turn = after, at + many * hop, turn + 1
    return torch.cat([row[0] for row in rows], 1), torch.cat([row[1] for row in rows], 1)


@pytest.mark.parametrize("scripted", [False, True], ids=["eager", "scripted"])
@pytest.mark.parametrize(("rate", "hop", "blocks"), [(48000, 512, (1,)), (48000, 512, (4, 1, 3)), (48000, 64, (8, 32)),
                                                     (44100, 1024, (2,)), (16000, 160, (5,)), (8000, 100, (3,))])
def test_stream_is_the_whole_shifted(causal, rate, hop, blocks, scripted):
    sound, stream = a_line(rate), CausalPitch(rate, hop)
    shift = -(-causal.lookahead_samples(rate) // hop)
    assert stream.delay_frames == shift
    stream = torch.jit.script(stream) if scripted else stream
    f0, confidence = streamed(stream, torch.from_numpy(sound)[None], hop, blocks)
    whole = causal.track(sound, rate, hop_samples=hop, first_sample=hop, frames=f0.shape[1])
    np.testing.assert_allclose(f0[0, shift:].numpy(), whole.f0_hz[:-shift], rtol=1e-5)
    np.testing.assert_allclose(confidence[0, shift:].numpy(), whole.confidence[:-shift], atol=1e-5)
    assert (confidence > VOICED).float().mean() > 0.5


def test_each_of_a_batch_is_heard_alone():
    line = torch.from_numpy(a_line())
    batch = torch.stack([line, torch.zeros_like(line), line.flip(0)])
    stream = CausalPitch(RATE, HOP)
    together = streamed(stream, batch, HOP, (4,))
    for row in range(3):
        alone = streamed(stream, batch[row:row + 1], HOP, (4,))
        torch.testing.assert_close(together[0][row], alone[0][0], rtol=1e-5, atol=0)
        torch.testing.assert_close(together[1][row], alone[1][0], rtol=0, atol=1e-5)


def test_a_stream_outlives_broken_samples():
    stream = CausalPitch(RATE, HOP)
    broken = torch.full((1, HOP * 4), float("nan"))
    broken[0, ::2] = float("inf")
    f0, confidence, state = stream.step(broken, stream.start(1))
    assert torch.isfinite(f0).all() and (confidence < 0.1).all()
    f0, confidence, _ = stream.step(torch.from_numpy(note("saw", 330.0)[0][:HOP * 30])[None], state)
    assert abs(float(f0[0, -1]) - 330) < 2 and float(confidence[0, -1]) > 0.9


def test_unvoiced_frames_keep_the_last_pitch(causal):
    sound = np.concatenate([np.zeros(4800, np.float32), note("saw", 330.0)[0], np.zeros(9600, np.float32)])
    found = causal.track(sound, RATE, hop_samples=HOP)
    start, end = found.confidence[:8], found.confidence[-16:]
    assert start.max() < 0.1 and end.max() < 0.1
    np.testing.assert_allclose(found.f0_hz[:8], np.sqrt(causal.lowest_hz * causal.highest_hz), rtol=1e-5)
    assert np.unique(found.f0_hz[-16:]).size == 1 and abs(found.f0_hz[-1] - 330) < 5


def test_the_difference_is_that_of_the_paper():
    """Counted pair by pair on a short window; a constant that is added changes nothing."""
    stream = CausalPitch(32000, 100, lowest_hz=1600, highest_hz=5000)
    sound = np.random.default_rng(5).standard_normal(40)
    assert (stream.window, stream.up) == (40, 1)
    by_hand = np.array([np.mean((sound[lag:] - sound[:-lag]) ** 2) for lag in range(1, 22)])
    normalised = by_hand / (np.cumsum(by_hand) / np.arange(1, 22))
    dips, repeats, level = stream.differences(torch.from_numpy(sound - sound.mean() + 3.0).float()[None, None])
    np.testing.assert_allclose(dips[0, 0, 1:].numpy(), normalised, rtol=1e-4)
    centred = sound - sound.mean()
    energy = np.array([np.mean(centred[lag:] ** 2 + centred[:-lag] ** 2) for lag in range(1, 22)])
    np.testing.assert_allclose(repeats[0, 0, 1:].numpy(), 1 - by_hand / energy, atol=1e-4)
    assert float(level) == pytest.approx(np.std(sound), rel=1e-4)


@pytest.mark.parametrize(("least", "size"), [(2, 2), (7, 8), (1109, 1152), (1000, 1000), (11, 12)])
def test_sizes_that_are_fast_to_transform(least, size):
    assert fast_size(least) == size
