"""`componium transfer`, and `perform` with an instrument that was trained."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from componium import checkpoint, registry
from componium.cli import transfer as verb
from componium.instruments.ddsp import DDSP, DDSPConfig
from componium.instruments.ddsp.learned import Learned
from componium.music.audio import Audio
from componium.music.formats import write_score
from componium.music.origin import read_origin
from componium.music.score import Note, Track, new_score

RATE = 16000


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny instrument in a folder; its recordings are said to lie between C3 and C5."""
    model = DDSP(DDSPConfig(sample_rate_hz=RATE, hop_samples=320, harmonics=8, noise_bands=9, hidden=16, width=16))
    model.trained = True
    model.learned = Learned(pitch_mean=60, pitch_range=(48, 72), loudness_quantiles=tuple(np.linspace(-40, -10, 101)))
    return checkpoint.save(model, tmp_path_factory.mktemp("ddsp") / "fiddle")


@pytest.fixture
def fiddle(trained, folder):
    shutil.copytree(trained, folder / "models" / "fiddle")
    return "models/fiddle"


def wave(hz=262.0, seconds=0.6, rate=RATE, level=0.3):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture
def hum(folder):
    Audio(wave(), RATE).write(folder / "hum.wav")
    return "hum.wav"


def done(result):
    assert result.exit_code == 0, result.stderr
    return result.stdout


# one sound

def test_a_sound_keeps_its_length_and_says_what_made_it(run, folder, fiddle, hum):
    told = done(run("transfer", fiddle, hum, "octave_shift=1", "adjust=false", "--seed", 4, "--out", "t.flac"))
    assert "wrote t.flac: 0.6 s, 16000 Hz" in told and "times real time" in told and "LUFS, peak" in told
    made, model = Audio.read(folder / "t.flac"), registry.load(fiddle)
    wanted = model.transfer(Audio.read(folder / hum), octave_shift=1.0, adjust=False, seed=4)
    assert made.sample_count == round(0.6 * RATE) and np.abs(made.samples - wanted.samples).max() < 1e-6
    origin = read_origin(folder / "t.flac")
    assert (origin.made, origin.verb, origin.seed) == ("performed", "transfer", 4)
    assert [(each.role, each.file) for each in origin.given] == [("sound", "hum.wav")]
    assert "octave_shift=1 adjust=false" in done(run("whence", "t.flac"))
    assert "identical" in done(run("whence", "t.flac", "--recreate", "again.flac"))


def test_the_default_name_is_here_and_is_not_replaced(run, folder, fiddle, hum):
    done(run("transfer", fiddle, hum))
    again = run("transfer", fiddle, hum)
    assert again.exit_code == 1 and "hum-fiddle.wav: is there already; --force replaces it" in again.stderr
    done(run("transfer", fiddle, hum, "--force"))


@pytest.mark.parametrize("out", ["hum.wav", "link.wav", "hard.wav", "here/../hum.wav", "linked/hum.wav"])
def test_what_was_given_is_never_replaced(run, folder, fiddle, hum, out):
    before = (folder / hum).read_bytes()
    (folder / "here").mkdir()
    (folder / "link.wav").symlink_to("hum.wav")
    (folder / "linked").symlink_to(".")
    os.link(folder / hum, folder / "hard.wav")
    for words in (["--out", out], ["--out", "t.wav", "--controls", "same.npz", "--picture", "t.wav"]):
        result = run("transfer", fiddle, hum, *words, "--force")
        assert result.exit_code == 1
    assert "is what was given" in run("transfer", fiddle, hum, "--out", out, "--force").stderr
    assert (folder / hum).read_bytes() == before and (folder / "link.wav").is_symlink()


@pytest.mark.parametrize(("samples", "told"), [
    (np.zeros(8000, np.float32), "is silent: there is nothing"),
    (np.stack([wave(), -wave()]), "cancel each other out"),
    (np.r_[wave(), np.float32(np.nan)], "bad.wav: holds samples that are not numbers"),
])
def test_what_cannot_be_followed_is_an_error(run, folder, fiddle, samples, told):
    import soundfile

    soundfile.write(folder / "bad.wav", samples.T, RATE, subtype="FLOAT")
    result = run("transfer", fiddle, "bad.wav")
    assert result.exit_code == 1 and told in result.stderr and len(result.stderr.splitlines()) == 1
    assert sorted(os.listdir(folder)) == ["bad.wav", "models"]


@pytest.mark.parametrize(("words", "told"), [
    (["hum.wav", "MODEL"], "hum.wav is a sound: the model comes first: componium transfer MODEL hum.wav"),
    (["MODEL", "nothing.wav"], "there is no such file"),
    (["MODEL", "a.mid"], "a.mid is a score, not a sound: componium perform a.mid --with MODEL"),
    (["MODEL", "hum.wav", "octave_shif=1"], "did you mean octave_shift"),
    (["MODEL", "hum.wav", "octave_shift=9"], "octave_shift=9"),
    (["MODEL", "hum.wav", "adjust=maybe"], "adjust has to be on or off"),
    (["MODEL", "hum.wav", "hidden=3"], "hidden of MODEL was fixed when it was trained, and is 16"),
    (["MODEL", "hum.wav", "--out", "t.mp3"], "use one of .wav"),
    (["MODEL", "hum.wav", "--controls", "t.txt"], "use one of .npz"),
    (["soundfont", "hum.wav"], "soundfont cannot transfer"),
    (["fiddle", "hum.wav"], "no model and no folder is called"),
])
def test_what_is_asked_wrongly_is_told(run, folder, fiddle, hum, words, told):
    write_score(tune(60), folder / "a.mid")
    result = run("transfer", *(fiddle if word == "MODEL" else word for word in words))
    assert result.exit_code == 1 and told.replace("MODEL", fiddle) in result.stderr
    assert not list(folder.glob("*.npz")) and not (folder / "t.wav").exists()


def test_a_model_that_writes_scores_cannot_transfer(run, model, hum):
    assert "markov cannot transfer (it" in run("transfer", model, hum).stderr


def test_what_is_said_of_the_sound(run, folder, fiddle):
    noise = np.random.default_rng(0).uniform(-1, 1, (RATE, 6)).astype(np.float32) * 0.3
    Audio(noise.T, RATE).write(folder / "drums.wav")
    result = run("transfer", fiddle, "drums.wav")
    assert "5.1 was mixed to mono" in done(result) and "mostly without a pitch" in result.stderr
    Audio(np.clip(wave(level=3.0), -1, 1), RATE).write(folder / "loud.wav")
    result = run("transfer", fiddle, "loud.wav")
    assert "samples are cut off at full scale" in result.stderr and "without a pitch" not in result.stderr
    rests = np.r_[wave(), np.zeros(9 * RATE, np.float32)]
    Audio(rests, RATE).write(folder / "rests.wav")
    assert run("transfer", fiddle, "rests.wav").stderr == "", "a rest is no noise"


def test_a_result_that_would_clip_is_turned_down(run, folder, fiddle, hum, monkeypatch):
    monkeypatch.setattr(DDSP, "transfer", lambda self, audio, **_: self.sound_of(self.hear(audio)).gain(60))
    result = run("transfer", fiddle, hum)
    assert "was turned down by" in result.stderr and "peak -1.0 dB" in done(result)


def test_the_memory_of_a_long_sound_is_told_before_it_is_taken(run, fiddle, hum, monkeypatch):
    monkeypatch.setattr(verb, "TOLD_BYTES", 1000)
    monkeypatch.setattr(verb, "free_bytes", lambda: 5)
    result = run("transfer", fiddle, hum)
    assert "minutes are heard as a whole, which takes about" in done(result) and "GB are free here" in result.stderr


def test_the_consent_is_told(run, folder, fiddle, hum):
    voice = registry.load(fiddle)
    voice.provenance = {"consent_who": "Maria Example", "consent_for": "her album", "consent_until": "2020-12-31",
                        "consent_sha256": "0123456789abcdef"}
    checkpoint.save(voice, folder / "models" / "maria")
    write_score(tune(60), folder / "a.mid")
    for words in (["transfer", "models/maria", hum], ["perform", "a.mid", "--with", "models/maria"]):
        result = run(*words)
        assert ("models/maria: a voice, with the consent of Maria Example until 2020-12-31, for: her album "
                "(consent 0123456789ab)") in done(result)
        assert "this consent ended on 2020-12-31" in result.stderr


# controls

def test_controls_are_taken_out_drawn_edited_and_put_back(run, folder, fiddle, hum):
    told = done(run("transfer", fiddle, hum, "--controls", "c.npz", "--picture", "c.png", "--seed", 2, "--out",
                    "t.wav"))
    assert "wrote c.npz" in told and "wrote c.png" in told and read_origin(folder / "c.png").made == "drawn"
    done(run("transfer", fiddle, "c.npz", "--seed", 2, "--out", "back.wav"))
    first, back = Audio.read(folder / "t.wav"), Audio.read(folder / "back.wav")
    assert np.abs(first.samples - back.samples[:, :first.sample_count]).max() < 1e-5
    with np.load(folder / "c.npz", allow_pickle=False) as file:
        arrays = dict(file)
    np.savez(folder / "edited.npz", **{**arrays, "amplitude": 0 * arrays["amplitude"], "noise": 0 * arrays["noise"]})
    assert "-inf LUFS" in done(run("transfer", fiddle, "edited.npz", "--out", "edited.wav"))
    assert "identical" in done(run("whence", "back.wav", "--recreate", "again.wav"))
    assert "byte for byte" in done(run("whence", "c.png", "--recreate", "again.png"))


@pytest.mark.parametrize(("arrays", "told"), [
    ({"f0_hz": np.ones(3)}, "c.npz: loudness_db is missing"),
    ({"f0_hz": np.array([{}])}, "holds no controls that can be read"), (None, "holds no controls that can be read")])
def test_broken_controls_are_told(run, folder, fiddle, arrays, told):
    if arrays is None:
        (folder / "c.npz").write_bytes(b"PK\x03\x04 and no more")
    else:
        np.savez(folder / "c.npz", **arrays)
    result = run("transfer", fiddle, "c.npz")
    assert result.exit_code == 1 and told in result.stderr
    assert "only reverb= is left" in run("transfer", fiddle, "c.npz", "octave_shift=1").stderr


# a folder

@pytest.fixture
def takes(folder):
    """A folder with three sounds, one that is broken, and what is no sound."""
    Audio(wave(), RATE).write(folder / "takes" / "a.wav")
    Audio(np.stack([wave(300)] * 2), RATE).write(folder / "takes" / "sub" / "b.flac")
    Audio(wave(330), RATE).write(folder / "takes" / "c.ogg")
    (folder / "takes" / "broken.wav").write_bytes(b"RIFF")
    (folder / "takes" / "notes.txt").write_text("no sound")
    (folder / "takes" / ".hidden.wav").write_bytes(b"")
    return folder / "takes"


def test_a_folder_is_done_and_done_on(run, folder, fiddle, takes):
    result = run("transfer", fiddle, "takes", "--out", "takes/done")
    told, place = done(result), takes / "done"
    assert "wrote 3 sounds to takes/done, 1 left out" in told and "left out takes/broken.wav" in result.stderr
    assert told.count("stereo was mixed to mono") == 1
    made = sorted(path.relative_to(place).as_posix() for path in place.rglob("*.*"))
    assert made == ["a.wav", "c.ogg", "sub/b.flac"]
    before = (place / "a.wav").stat().st_mtime_ns
    (place / "c.ogg").unlink()
    again = done(run("transfer", fiddle, "takes", "--out", "takes/done"))
    assert "wrote 1 sound to takes/done, 2 were there already" in again, "what is made is not taken for a take"
    assert (place / "a.wav").stat().st_mtime_ns == before
    assert "wrote 3 sounds" in done(run("transfer", fiddle, "takes", "--out", "takes/done", "--force"))


def test_a_folder_of_which_nothing_works_fails(run, folder, fiddle, takes):
    for path in (takes / "a.wav", takes / "sub" / "b.flac", takes / "c.ogg"):
        path.unlink()
    result = run("transfer", fiddle, "takes")
    assert result.exit_code == 1 and "wrote 0 sounds to takes-fiddle, 1 left out" in result.stdout
    (takes / "broken.wav").unlink()
    assert "there are no sounds in it" in run("transfer", fiddle, "takes").stderr
    Audio(wave(), RATE).write(takes / "a.wav")
    assert "octave_shift=9" in run("transfer", fiddle, "takes", "octave_shift=9").stderr


@pytest.mark.parametrize(("out", "told"), [
    ("takes", "among the sounds that were given"), ("linked", "among the sounds that were given"),
    ("a.wav", "names a sound"), ("takes/a.wav", "is a file"), ("links", "is what was given")])
def test_the_takes_are_never_replaced(run, folder, fiddle, takes, out, told):
    (folder / "linked").symlink_to("takes")
    (folder / "links").mkdir()
    (folder / "links" / "a.wav").symlink_to(takes / "c.ogg")
    before = {path: path.read_bytes() for path in takes.rglob("*.*")}
    result = run("transfer", fiddle, "takes", "--out", out, "--force")
    assert result.exit_code == 1 and told in result.stderr
    assert {path: path.read_bytes() for path in takes.rglob("*.*")} == before


def test_names_that_would_meet_are_kept_apart(tmp_path):
    from componium.cli.transfer_folder import names_for

    files = [tmp_path / name for name in ("a.aif", "a.mp3", "a.wav", "b.mp3")]
    assert [path.name for path in names_for(files, tmp_path, tmp_path / "o")] == ["a.aif.wav", "a.mp3.wav", "a.wav",
                                                                                 "b.wav"]


# perform

def tune(*pitches):
    score = new_score()
    for number, pitch in enumerate(pitches):
        score.tracks.append(Track(f"line {number}"))
        score.tracks[-1].notes.append(Note(0.0, 1.0, pitch, 80))
    return score


def test_words_reach_the_playing_of_an_instrument(run, folder, fiddle, monkeypatch):
    write_score(tune(60), folder / "a.mid")
    heard = []
    real = DDSP.play

    def play(self, score, *, vibrato_cents: float = -1.0, fold: bool = False, seed: int = 0, **more):
        heard.append((vibrato_cents, fold, seed))
        return real(self, score, vibrato_cents=vibrato_cents, fold=fold, seed=seed, **more)

    monkeypatch.setattr(DDSP, "play", play)
    done(run("perform", "a.mid", "--with", fiddle, "vibrato_cents=20", "fold=true", "--seed", 3))
    assert heard == [(20.0, True, 3)]
    assert "identical" in done(run("whence", "a.wav", "--recreate", "b.wav"))


def test_a_word_that_no_instrument_has_is_told(run, folder, fiddle):
    write_score(tune(60), folder / "a.mid")
    assert "did you mean vibrato_cents" in run("perform", "a.mid", "--with", fiddle, "vibrato_cent=20").stderr
    assert "legato has to be a number" in run("perform", "a.mid", "--with", fiddle, "legato=much").stderr
    assert "legato=5" in run("perform", "a.mid", "--with", fiddle, "legato=5").stderr


def test_notes_that_were_not_learned_are_told_by_part(run, folder, fiddle):
    write_score(tune(60, 90), folder / "a.mid")
    told = run("perform", "a.mid", "--with", fiddle, "--out", "a.wav").stderr
    assert "warning: line 1: 1 of 1 notes lie outside of C3 to C5" in told and "line 0" not in told
    assert "outside" not in run("perform", "a.mid", "--with", fiddle, "fold=true", "--out", "b.wav").stderr


def test_an_instrument_that_comes_with_componium_goes_before_general_midi(run, folder, trained, monkeypatch):
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")
    shutil.copytree(trained, folder / "shipped" / "violin")
    monkeypatch.setattr(registry, "PRETRAINED", folder / "shipped")
    write_score(tune(60, 64), folder / "a.mid")
    told = done(run("perform", "a.mid", "--with", "violin", "--out", "a.wav"))
    assert ("violin: the instrument that comes with Componium was taken; soundfont:violin is the General MIDI sound of "
            "that name") in told
    assert [used.name for used in read_origin(folder / "a.wav").models] == ["ddsp"]
    told = done(run("perform", "a.mid", "--with", "line 0=shipped:violin", "--with", "*=soundfont:violin", "legato=1",
                    "gain_db=-14", "--out", "b.wav"))
    assert "was taken" not in told
    assert [used.name for used in read_origin(folder / "b.wav").models] == ["ddsp", "soundfont"]
    assert "identical" in done(run("whence", "b.wav", "--recreate", "c.wav"))
