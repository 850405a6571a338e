"""Files: MIDI and grid JSON in and out, and one clear sentence for every bad file."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import time

import mido
import numpy as np
import pytest

from componium.music import formats
from componium.music.errors import BadFile, BadInput, ComponiumError
from componium.music.formats import (
    SCORE_EXTENSIONS,
    is_score_path,
    read_grid_json,
    read_score,
    write_grid_json,
    write_score,
)
from componium.music.grid import Grid, from_grid, to_grid
from componium.music.midi import midi_bytes, parse_midi
from componium.music.score import (
    FERMATA,
    KeySignature,
    Note,
    Score,
    Tempo,
    TextMeta,
    TimeSignature,
    Track,
    new_score,
    set_pickup,
)


def example(ticks_per_beat: int = 480) -> Score:
    """A pickup, 16ths, triplets, two voices and drums, changes of tempo, key and meter, markers."""
    score = set_pickup(new_score(tempo_bpm=90, key="C minor", ticks_per_beat=ticks_per_beat), 1.0)
    score.time_signatures.append(TimeSignature(9.0, 3, 4))
    score.tempos.append(Tempo(9.0, qpm=60.0))
    score.key_signatures.append(KeySignature(9.0, 2, 0))
    for name, program, is_drum in (("Größe 音", 52, False), ("Bass", 32, False), ("Drums", 0, True)):
        track = Track(name, program, is_drum)
        for k in range(24):
            track.notes.append(Note(k / 4, 1 / 4, 40 + k, 64 + k))
        for k in range(24):
            track.notes.append(Note(6 + k / 3, 1 / 3, 40 + k, 64 + k))
        score.tracks.append(track)
    score.markers.append(TextMeta(3.0, FERMATA))
    return score


def content(score: Score) -> list[object]:
    return [[(t.name, t.program, t.is_drum, [(n.time, n.duration, n.pitch, n.velocity) for n in t.notes])
             for t in score.tracks],
            [(s.time, s.numerator, s.denominator) for s in score.time_signatures],
            [(s.time, s.key, s.tonality) for s in score.key_signatures],
            [(s.time, round(s.qpm, 2)) for s in score.tempos], [(m.time, m.text) for m in score.markers]]


def midi(body: bytes = b"", *, kind: int = 1, tracks: int = 1, division: int = 480) -> bytes:
    track = body + b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, kind, tracks, division) + b"MTrk" + struct.pack(">I", len(track)) + track


@pytest.mark.parametrize("ticks_per_beat", [480, 960, 96])
def test_midi_keeps_everything_exactly(ticks_per_beat, tmp_path):
    path = tmp_path / "Käse 音.mid"
    write_score(example(ticks_per_beat), path)
    assert content(read_score(path)) == content(example(ticks_per_beat))


def test_midi_keeps_exact_times_in_long_pieces():
    score = new_score()
    score.tracks.append(Track("long", 0, False))
    for k in range(12_000):
        score.tracks[0].notes.append(Note(k / 12, 1 / 12, 60 + k % 2, 80))
    times = parse_midi(midi_bytes(score)).tracks[0].notes.numpy()
    assert np.array_equal(times["time"], (np.arange(12_000) / 12).astype(np.float32))
    assert np.all(times["duration"] == np.float32(1 / 12))


def test_mido_and_pretty_midi_see_the_same_notes():
    data = midi_bytes(example())
    file = mido.MidiFile(file=io.BytesIO(data))
    found = []
    for track in file.tracks:
        now, sounding = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                sounding[message.note] = (now, message.velocity)
            elif message.type in ("note_on", "note_off"):
                start, velocity = sounding.pop(message.note)
                found.append((start, now - start, message.note, velocity))
        assert not sounding
    ours = [(round(n.time * 480), round(n.duration * 480), n.pitch, n.velocity)
            for t in example().tracks for n in t.notes]
    assert sorted(found) == sorted(ours)
    pretty_midi = pytest.importorskip("pretty_midi")
    seen = pretty_midi.PrettyMIDI(io.BytesIO(data))
    assert sorted(n.pitch for i in seen.instruments for n in i.notes) == sorted(n[2] for n in ours)
    assert [i.is_drum for i in seen.instruments] == [False, False, True]


def test_a_note_of_no_length_or_no_velocity_is_not_lost():
    score = new_score()
    score.tracks.append(Track("t", 0, False))
    score.tracks[0].notes.append(Note(0, 0, 60, 80))
    score.tracks[0].notes.append(Note(1, 1, 62, 0))
    notes = parse_midi(midi_bytes(score)).tracks[0].notes
    assert [(n.duration * 480, n.velocity) for n in notes] == [(pytest.approx(1), 80), (480, 1)]
    zero = midi(b"\x00\x90\x3c\x50\x00\x80\x3c\x00")
    assert [n.duration * 480 for n in parse_midi(zero).tracks[0].notes] == [pytest.approx(1)]


def test_more_than_sixteen_tracks_keep_their_names():
    score = new_score()
    for k in range(25):
        score.tracks.append(Track(f"t{k}", k, False))
        score.tracks[k].notes.append(Note(0, 1, 60 + k, 80))
    assert [(t.name, t.program) for t in parse_midi(midi_bytes(score)).tracks] == [(f"t{k}", k) for k in range(25)]


def test_a_file_without_notes_is_a_score_without_notes(tmp_path):
    write_score(new_score(tempo_bpm=77), tmp_path / "none.mid")
    score = read_score(tmp_path / "none.mid")
    assert (score.note_num(), round(score.tempos[0].qpm)) == (0, 77)
    (tmp_path / "zero.mid").write_bytes(midi(tracks=1))
    assert read_score(tmp_path / "zero.mid").note_num() == 0


def test_a_hundred_thousand_notes_are_read_and_written_fast(tmp_path):
    score, rng = new_score(), np.random.default_rng(0)
    score.tracks.append(Track("many", 0, False))
    for k, pitch in enumerate(rng.integers(30, 90, 100_000)):
        score.tracks[0].notes.append(Note(k / 8, 1 / 8, int(pitch), 80))
    start = time.perf_counter()
    write_score(score, tmp_path / "many.mid")
    assert read_score(tmp_path / "many.mid").note_num() == 100_000
    assert time.perf_counter() - start < 5


GOOD = midi_bytes(example())
BAD_MIDI = {
    "empty": (b"", "is empty"),
    "text": (b"this is a text, renamed\n" * 20, "not a MIDI file"),
    "noise": (np.random.default_rng(1).bytes(5000), "not a MIDI file"),
    "header": (GOOD[:10], "cut short"),
    "no tracks": (GOOD[:14], "cut short"),
    "half": (GOOD[:len(GOOD) // 2], "cut short"),
    "last byte": (GOOD[:-1], "cut short"),
    "format 2": (midi(kind=2), "format 2"),
    "format 9": (midi(kind=9), "header"),
    "film frames": (midi(division=0xE728), "SMPTE"),
    "no ticks": (midi(division=0), "0 ticks"),
    "no track name": (GOOD[:14] + b"\0\1\2\3" + GOOD[18:], "no track"),
    "long track": (GOOD[:18] + b"\xff\xff\xff\xff" + GOOD[22:], "cut short"),
    "running status": (midi(b"\x00\x05\x05"), "damaged"),
}


@pytest.mark.parametrize("name", BAD_MIDI)
def test_a_bad_midi_file_is_refused_with_its_name_and_the_reason(name, tmp_path):
    data, reason = BAD_MIDI[name]
    path = tmp_path / f"{name} é.mid"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=reason) as caught:
        read_score(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_random_damage_never_gives_anything_but_a_score_or_a_clear_error():
    rng = np.random.default_rng(2)
    for _ in range(400):
        data = bytearray(GOOD)
        for place in rng.integers(8, len(data), rng.integers(1, 8)):
            data[place] = rng.integers(256)
        try:
            score = parse_midi(bytes(data))
        except BadFile:
            continue
        assert all(n.duration > 0 for t in score.tracks for n in t.notes)
        assert all(s.numerator > 0 for s in score.time_signatures)


def test_a_riff_wrapped_midi_file_is_read():
    wrapped = b"RIFF" + struct.pack("<I", len(GOOD) + 12) + b"RMIDdata" + struct.pack("<I", len(GOOD)) + GOOD
    assert content(parse_midi(wrapped)) == content(example())


def test_a_folder_a_missing_file_and_a_foreign_extension_are_refused(tmp_path):
    for path, reason in ((tmp_path, "folder"), (tmp_path / "gone.mid", "does not exist"),
                         (tmp_path / "song.txt", "extension")):
        with pytest.raises(BadFile, match=reason):
            read_score(path)
    (tmp_path / "folder.mid").mkdir()
    for act in (read_score, lambda path: write_score(example(), path)):
        with pytest.raises(BadFile, match="folder"):
            act(tmp_path / "folder.mid")
    for name in ("x.krn", "x.wav", "x"):
        with pytest.raises(BadFile, match="cannot be written"):
            write_score(example(), tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_clear_error(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(BadFile, match="cannot be written"):
        write_score(example(), tmp_path / "x.mid")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(formats.json, "dumps", fail)
    with pytest.raises(BadFile, match="No space"):
        write_grid_json([Grid.from_pitches([[60]])], path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_extensions_are_known_in_any_case():
    assert all(is_score_path(f"a{e.upper()}") for e in SCORE_EXTENSIONS)
    assert not is_score_path("a.wav")


def test_grid_json_round_trip_and_one_piece(tmp_path):
    pieces = [[[72, 67, 60, -1], [72, 65, 60, 48]], [[70, 67, 60, 48]]]
    path = tmp_path / "pieces.json"
    path.write_text(json.dumps(pieces))
    grids = read_grid_json(path)
    write_grid_json([to_grid(from_grid(grid)) for grid in grids], tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == pieces
    path.write_text(json.dumps(pieces[0]))
    assert read_grid_json(path) == grids[:1]
    assert to_grid(read_score(path)) == grids[0]
    write_score(from_grid(grids[0]), path)
    assert read_grid_json(path) == grids[:1]
    with pytest.raises(BadInput, match="4 steps"):
        write_grid_json([Grid.from_pitches([[60]], steps_per_beat=12)], path)


@pytest.mark.parametrize("text", ["", "   ", "{", "{}", "[]", "[[]]", "[[[]]]", "[[[60, 61], [60]]]", "[[[200]]]", "3",
                                  '["a"]', '[[["a"]]]', "[[[null]]]", "[[60]", "[" * 100_000, "\0\0", "[[[60.5]]]",
                                  "[[[60]], [], [[61]]]", "[[[60]], 5]"])
def test_bad_grid_json_is_refused(text, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(BadFile, match=r"bad\.json"):
        read_grid_json(path)


@pytest.mark.parametrize("extension", SCORE_EXTENSIONS)
@pytest.mark.parametrize("data", [b"", b"just some text\n", b"\x00\x01\x02" * 100, b"PK\x03\x04broken", b"<a/>"])
def test_nothing_but_a_clear_error_for_any_extension(extension, data, tmp_path):
    path = tmp_path / f"file{extension}"
    path.write_bytes(data)
    with pytest.raises(ComponiumError, match="file"):
        read_score(path)
