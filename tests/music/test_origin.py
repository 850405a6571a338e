from __future__ import annotations

import dataclasses
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from componium.music import stamps
from componium.music.audio import Audio, hash_of_samples, read_metadata
from componium.music.errors import BadFile, BadInput
from componium.music.formats import read_score, write_score
from componium.music.item import hash_of_score
from componium.music.midi import midi_bytes, parse_midi
from componium.music.origin import CONVERTED, DEEPEST, GENERATED, Given, Origin, Used, given_file, read_origin, version
from componium.music.picture import piano_roll, spectrogram

SCORES, SOUNDS, PICTURES = (".mid", ".musicxml", ".mxl", ".abc"), (".wav", ".flac", ".ogg"), (".png", ".svg")
KINDS = (*SCORES, *SOUNDS, *PICTURES)


def origin(**changes) -> Origin:
    inside = Origin(GENERATED, "0.0.9", "generate", seed=7, settings={"bars": 8}, music="ab" * 32)
    whole = Origin(
        GENERATED, "0.1.0", "continue", "Ein «Stück» & <mehr>",
        models=(Used("markov", "Töne/m\"1\".markov", "c0" * 32, "chorales", "CC BY 4.0", "attribution"),), seed=0,
        settings={"bars": 4, "temperature": 0.8, "words": {"key": "B♭ minor", "模型": "]]> -- \\ \n\0 é"}},
        licence="CC BY 4.0", licence_class="attribution",
        given=(Given("score", "früher.mid", "12" * 32, "ab" * 32, True, inside),))
    return dataclasses.replace(whole, **changes)


def write(kind: str, path: Path, score, made: Origin | None) -> Path:
    path = path.with_suffix(kind)
    if kind in SCORES:
        write_score(score, path, origin=made)
    elif kind in SOUNDS:
        tone = 0.3 * np.sin(np.arange(8000) / 9.0)
        Audio(np.stack([tone, -tone]).astype(np.float32), 8000).write(path, metadata={"title": "Ton"}, origin=made)
    else:
        piano_roll(score, path, origin=made)
    return path


@pytest.fixture
def score(chorales):
    return chorales[0].content


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_origin_back(kind, score, tmp_path):
    found = read_origin(write(kind, tmp_path / "ä", score, origin()))
    assert found is not None and (found.music or found.file)
    assert dataclasses.replace(found, music="", file="") == origin()


@pytest.mark.parametrize("kind", KINDS)
def test_long_settings_survive(kind, score, tmp_path):
    long = origin(settings={"words": {"productions": "V -> V | ii V (0.3); " * 6000}})
    found = read_origin(write(kind, tmp_path / "a", score, long))
    assert found is not None and found.settings == long.settings


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != ".ogg"])  # OGG streams have random numbers
def test_the_same_work_gives_the_same_bytes(kind, score, tmp_path):
    first, second = (write(kind, tmp_path / name, score, origin()).read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_written_without_an_origin_says_so(kind, score, tmp_path):
    found = read_origin(write(kind, tmp_path / "a", score, None))
    assert found is not None and (found.made, found.componium) == ("not recorded", version())
    assert "not recorded" in found.sentence() and (found.music or found.file)


@pytest.mark.parametrize("kind", [".mid", ".musicxml", ".abc", ".svg", ".png"])
def test_taking_the_origin_out_gives_the_bytes_as_they_were(kind, score, tmp_path):
    path = write(kind, tmp_path / "a", score, origin())
    bare = stamps.unstamped(path.read_bytes(), kind)
    assert hashlib.sha256(bare).hexdigest() == read_origin(path).file
    assert stamps.MARK.encode() not in bare and stamps.unstamped(bare, kind) == bare
    assert read_origin_of(bare, tmp_path / f"b{kind}") is None


def read_origin_of(data: bytes, path: Path) -> Origin | None:
    path.write_bytes(data)
    return read_origin(path)


@pytest.mark.parametrize("kind", SCORES)
def test_the_music_is_read_as_without_an_origin(kind, score, tmp_path):
    path = write(kind, tmp_path / "a", score, origin())
    read = read_score(path)
    assert hash_of_score(read) == read_origin(path).music
    if kind != ".abc":
        assert hash_of_score(read) == hash_of_score(score)
    assert not [event.text for event in read.markers if "omponium" in event.text]
    assert not any(len(track.lyrics) for track in read.tracks)
    assert len(read.markers) == len(parse_midi(midi_bytes(read)).markers)


def test_bytes_carry_an_origin_only_where_one_is_given(score):
    bare = midi_bytes(score)
    stamped = midi_bytes(score, origin=origin())
    assert stamps.MARK.encode() not in bare and stamps.unstamped(stamped, ".mid") == bare
    assert stamped.index(b"MTrk") + 8 == stamped.index(b"\0\xff\x01" ), "the text is the first event of the first track"
    assert piano_roll(score) == piano_roll(score) and stamps.MARK.encode() not in piano_roll(score)
    assert stamps.MARK.encode() in piano_roll(score, origin=origin())


def test_a_daw_finds_a_line_for_people_in_midi(score):
    texts = midi_bytes(score, origin=origin())
    assert b"Generated by Componium 0.1.0 with markov c0c0c0c0c0c0; seed 0; licence: CC BY 4.0" in texts


def test_text_moved_to_another_track_is_found(score, tmp_path):
    """Programs that save a MIDI file again may keep texts elsewhere, after other events."""
    bare, whole = midi_bytes(score), midi_bytes(score, origin=origin())
    added = whole[22:22 + len(whole) - len(bare)]
    at = bare.rindex(b"MTrk")
    size = struct.unpack(">I", bare[at + 4:at + 8])[0] + len(added)
    moved = bare[:at + 4] + struct.pack(">I", size) + bare[at + 8:-4] + added + bare[-4:]
    found = read_origin_of(moved, tmp_path / "a.mid")
    assert found is not None and found.verb == "continue"
    assert read_score(tmp_path / "a.mid").note_num() == score.note_num()


def test_musicxml_of_another_program_keeps_its_place(tmp_path):
    for head in (b"<part-list>", b"<identification><encoding/></identification><part-list>",
                 b"<identification><miscellaneous><miscellaneous-field name='x'>y</miscellaneous-field></miscellaneous>"
                 b"</identification><part-list>", b"<defaults/><part-list>"):
        data = b"<score-partwise>" + head + b"</part-list></score-partwise>"
        whole = origin().into(data, ".musicxml")
        assert read_origin_of(whole, tmp_path / "a.xml").settings == origin().settings
        assert whole.count(b"<identification>") == whole.count(b"<miscellaneous>") == 1
        saved = whole.replace(b'"', b"&quot;").replace(b"=&quot;componium-origin&quot;", b'="componium-origin"')
        assert read_origin_of(saved.replace(b"=&quot;componium&quot;", b'="componium"'), tmp_path / "b.xml") is not None


# sounds


def test_the_hash_of_a_sound_is_that_of_its_samples(score, tmp_path):
    for kind in SOUNDS:
        path = write(kind, tmp_path / "a", score, origin())
        assert read_origin(path).music == hash_of_samples(path)
    other = Audio(np.zeros((2, 8000), np.float32), 8000)
    other.write(tmp_path / "b.wav")
    assert hash_of_samples(tmp_path / "b.wav") != read_origin(tmp_path / "a.wav").music


@pytest.mark.parametrize(("kind", "bits"), [(".wav", 16), (".wav", 24), (".wav", "32f"), (".flac", 16), (".flac", 24)])
def test_every_depth_is_hashed_as_it_is_stored(kind, bits, sine, tmp_path):
    sine.write(tmp_path / f"a{kind}", bits=bits, origin=origin())
    assert read_origin(tmp_path / f"a{kind}").music == hash_of_samples(tmp_path / f"a{kind}")


@pytest.mark.parametrize("kind", SOUNDS)
def test_texts_of_a_sound_stay_beside_the_origin(kind, sine, tmp_path):
    texts = {"title": "Tön", "comment": "zwei\nZeilen", "software": "Componium"}
    sine.write(tmp_path / f"a{kind}", metadata=texts, origin=origin(settings={"long": "x" * 20000}))
    found = read_metadata(tmp_path / f"a{kind}")
    assert (found["title"], found["comment"]) == ("Tön", "zwei\nZeilen")
    assert read_origin(tmp_path / f"a{kind}").settings == {"long": "x" * 20000}
    sine.write(tmp_path / f"b{kind}")
    assert "comment" not in read_metadata(tmp_path / f"b{kind}")


def test_a_long_comment_in_wav_survives(sine, tmp_path):
    sine.write(tmp_path / "a.wav", metadata={"title": "t", "comment": "y" * 50_000})
    assert read_metadata(tmp_path / "a.wav") == {"title": "t", "comment": "y" * 50_000}


def test_a_wav_with_texts_is_sound_to_other_programs(sine, tmp_path):
    import soundfile

    sine.write(tmp_path / "a.wav", origin=origin())
    data = (tmp_path / "a.wav").read_bytes()
    assert struct.unpack("<I", data[4:8])[0] + 8 == len(data) and len(data) % 2 == 0
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert (rate, len(samples)) == (44100, sine.sample_count)
    soundfile.write(tmp_path / "b.wav", samples, rate, "PCM_24")  # another program drops the chunk
    assert read_origin(tmp_path / "b.wav") is None
    assert hash_of_samples(tmp_path / "b.wav") == read_origin(tmp_path / "a.wav").music


def test_a_wav_of_odd_length_is_padded(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\x0d\0\0\0WAVEdata\x01\0\0\0\x80")
    stamps.add_to_wav(path, "x\n" + stamps.MARK + origin().to_json())
    assert read_origin(path).seed == 0


def test_mp3_is_read_too(sine, tmp_path):
    import soundfile

    with soundfile.SoundFile(tmp_path / "a.mp3", "w", 44100, 1, format="MP3", subtype="MPEG_LAYER_III") as file:
        file.comment = origin().comment(music="")
        file.write(sine.samples.T)
    assert read_origin(tmp_path / "a.mp3") == origin()


@pytest.mark.parametrize("kind", SCORES)
def test_a_name_that_is_no_text_does_not_stop_the_writing(kind, score, tmp_path):
    assert read_origin(write(kind, tmp_path / "\udcff", score, None)).title == "?"


def test_a_pipe_is_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.mid")
    with pytest.raises(BadFile, match="pipe"):
        read_origin(tmp_path / "pipe.mid")


def test_a_spectrogram_carries_what_it_shows(sine, tmp_path):
    spectrogram(sine, tmp_path / "a.png", origin=origin())
    assert read_origin(tmp_path / "a.png").title == origin().title


# what others wrote, and damage


def test_files_of_others_have_none(tmp_path, score):
    for name, data in {"a.txt": b"no music", "a.mid": midi_bytes(score), "a.bin": b"\0\1\2", "empty.mid": b"",
                       "a.json": b"[[[60,55,52,48]]]", "a.svg": b"<svg xmlns='x'/>", "a.zip": b"PK\3\4 cut",
                       "a.xml": b"<score-partwise><part-list/></score-partwise>", "a.flac": b"fLaC cut",
                       "a.ogg": b"OggS", "a.wav": b"RIFF\0\0\0\0WAVELIST\xff\xff\0\0INFO", "a.png": b"\x89PNG"}.items():
        assert read_origin_of(data, tmp_path / name) is None, name


def test_what_is_no_file_is_told(tmp_path):
    with pytest.raises(BadFile, match="folder"):
        read_origin(tmp_path)
    with pytest.raises(BadFile, match="cannot be read"):
        read_origin(tmp_path / "nosuch.mid")


@pytest.mark.parametrize("kind", [".mid", ".abc", ".musicxml", ".svg"])
def test_a_record_that_is_cut_short_is_told(kind, score, tmp_path):
    data = write(kind, tmp_path / "a", score, origin()).read_bytes()
    data = data[:data.index(stamps.MARK.encode()) + 200]
    if kind in (".musicxml", ".svg"):
        data += b"</metadata></svg>" if kind == ".svg" else b"</miscellaneous-field></miscellaneous>"
    with pytest.raises(BadFile, match="damaged or cut short"):
        read_origin_of(data, tmp_path / f"b{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_after_its_record_still_tells(kind, score, tmp_path):
    data = write(kind, tmp_path / "a", score, origin()).read_bytes()
    if kind == ".mxl":  # its list of contents is at the end
        assert read_origin_of(data[:-200], tmp_path / f"b{kind}") is None
        return
    if kind == ".wav":  # the record itself is at the end
        assert read_origin_of(data[:8000], tmp_path / f"b{kind}") is None
        with pytest.raises(BadFile, match="cut short"):
            read_origin_of(data[:-200], tmp_path / f"b{kind}")
        return
    assert read_origin_of(data[:-200], tmp_path / f"b{kind}").verb == "continue"


@pytest.mark.parametrize("text", [
    "{}", '{"made":1}', '{"models":3}', '{"models":[3]}', '{"given":[{"role":"score","file":"a","origin":5}]}', "[]",
    '{"seed":"1"}', '{"settings":[]}', '{"given":[{"file":"a"}]}', "{" * 10, '{"given":{"a":1}}',
    '{"given":[{"role":"a","file":"b","origin":' * (DEEPEST + 100) + "{}" + "}]}" * (DEEPEST + 100)])
def test_records_of_another_shape_are_refused_or_empty(text):
    if text == "{}":
        assert Origin.from_json(text) == Origin(componium="")
        return
    with pytest.raises(BadInput, match="damaged"):
        Origin.from_json(text)


def test_names_of_newer_versions_are_passed_over():
    text = origin().to_json()[:-1] + ',"later":[1,2]}'
    assert Origin.from_json(text) == origin()


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_leads_to_anything_but_an_answer(kind, score, tmp_path):
    data = bytearray(write(kind, tmp_path / "a", score, origin()).read_bytes())
    rng = np.random.default_rng(5)
    for _ in range(60):
        broken = bytearray(data)
        for place in rng.integers(0, min(len(data), 6000), rng.integers(1, 6)):
            broken[place] = int(rng.integers(256))
        path = tmp_path / f"b{kind}"
        path.write_bytes(broken[:int(rng.integers(1, len(broken)))] if rng.random() < 0.3 else broken)
        try:
            found = read_origin(path)
        except BadFile as error:
            assert "damaged" in str(error)
        else:
            assert found is None or isinstance(found, Origin)
        stamps.unstamped(bytes(broken), kind)


# what a human gave


def test_a_given_file_carries_its_own_origin_and_whether_it_was_edited(score, tmp_path):
    path = write(".mid", tmp_path / "a", score, origin(given=()))
    given = given_file("score", path, music=hash_of_score(score))
    assert given.origin.seed == 0 and given.edited is False
    assert given.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert given_file("score", path, music="00" * 32).edited is True
    assert given_file("table", path).edited is None
    path.write_bytes(path.read_bytes().replace(b'"made":"generated"', b'"made":{generated}'))
    assert given_file("score", path).origin is None
    with pytest.raises(BadFile, match="cannot be read"):
        given_file("score", tmp_path / "nosuch.mid")


def test_sentences():
    assert Origin(CONVERTED, "0.1.0").sentence() == "Converted by Componium 0.1.0"
    assert origin().sentence().startswith("Generated by Componium 0.1.0 with markov c0c0c0c0c0c0; seed 0")
    assert "\n" not in origin(licence="a\nb\x01").into(b"", ".png").decode("latin-1").split("Description")[1][:60]
