"""What files, and licence files beside them, say about their terms."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from componium.music.audio import Audio
from componium.music.corpus import open_corpus
from componium.music.formats import write_score
from componium.music.licences import licence_class, licence_name
from componium.music.origin import Origin
from componium.music.rights import LONGEST, licences_beside, stated_in, stated_in_abc
from componium.music.score import Note, Score, Track, new_score

XML = "<score-partwise><identification><rights>{}</rights></identification></score-partwise>"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "cache"))


def piece(first: int = 60) -> Score:
    score, track = new_score(), Track("", 0, False)
    for step in range(8):
        track.notes.append(Note(step, 1, first + step % 5, 80))
    score.tracks.append(track)
    return score


def midi(*events: bytes) -> bytes:
    track = b"".join(events) + b"\x00\x90\x3c\x40\x60\x80\x3c\x40\x00\xff\x2f\x00"
    return b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(track).to_bytes(4, "big") + track


def meta(kind: int, text: bytes) -> bytes:
    return b"\x00\xff" + bytes([kind, len(text)]) + text


def test_midi_says_it_in_the_copyright_event(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(midi(meta(3, b"Title"), meta(0x51, b"\x07\xff\x02"), meta(2, "© 1998 A. Näme".encode("latin-1"))))
    assert stated_in(path) == "© 1998 A. Näme"
    item = open_corpus(path)[0]
    assert (item.licence, licence_class(item.licence)) == ("© 1998 A. Näme", "reserved")
    path.write_bytes(midi(meta(3, b"Title"), meta(0x51, b"\x07\xff\x02")))
    assert stated_in(path) == ""
    for cut in range(30):
        path.write_bytes(midi(meta(2, b"CC0"))[:cut])
        assert stated_in(path) in ("", "C", "CC", "CC0")


def test_musicxml_kern_and_abc(tmp_path: Path) -> None:
    (tmp_path / "a.musicxml").write_text(XML.format("Typed &amp; set <b>by me</b>, CC BY-SA 4.0"))
    assert stated_in(tmp_path / "a.musicxml") == "Typed & set by me, CC BY-SA 4.0"
    (tmp_path / "a.xml").write_bytes(b"\xff\xfe" + XML.format("Public Domain").encode("utf-16-le"))
    assert stated_in(tmp_path / "a.xml") == "Public Domain"
    with zipfile.ZipFile(tmp_path / "a.mxl", "w") as archive:
        archive.writestr("META-INF/container.xml", XML.format("not this"))
        archive.writestr("score.xml", XML.format("CC0"))
    assert stated_in(tmp_path / "a.mxl") == "CC0"
    (tmp_path / "bad.mxl").write_bytes(b"PK\3\4 no zip file")
    (tmp_path / "a.krn").write_text("!!!COM: Bach\n**kern\n4c\n*-\n!!!YEC: Copyright 1995 A. Name\n"
                                    "!!!ONB: a remark\n!!!YEM: Rights to all derivative editions reserved\n")
    assert stated_in(tmp_path / "bad.mxl") == stated_in(tmp_path / "none.mid") == ""
    assert stated_in(tmp_path / "a.krn") == "Copyright 1995 A. Name; Rights to all derivative editions reserved"
    (tmp_path / "a.abc").write_text("% My book, licence: CC BY 4.0\n\nX:1\nT:A tune\nK:C\nCDEF|\n\n"
                                    "X:2\nT:Copyright the title\nZ:(c) 2001 B. Name\nK:C\nGFEC|\n")
    book = open_corpus(tmp_path / "a.abc")
    assert [licence_class(item.licence) for item in book] == ["attribution", "reserved"]
    assert book[1].licence == "(c) 2001 B. Name"
    assert stated_in_abc({"Z": ["typed by me", "x" * 500 + " CC0"]}).endswith("...")
    assert len(stated_in_abc({"Z": ["CC0 " * 100]})) <= LONGEST


def test_recordings_say_it_in_their_tags(tmp_path: Path) -> None:
    import soundfile

    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 4410).astype(np.float32)
    for name in ("a.wav", "b.flac", "c.ogg"):
        with soundfile.SoundFile(tmp_path / name, "w", 44100, 1) as stream:
            stream.copyright = "CC BY 4.0, A. Name"
            stream.write(samples * (0.5 + len(name + name[0]) / 9 + ord(name[0]) / 999))
    assert {item.licence for item in open_corpus(tmp_path)} == {"CC BY 4.0, A. Name"}
    Audio(samples[None], 44100).write(tmp_path / "d.wav")
    assert open_corpus(tmp_path / "d.wav")[0].licence == "unknown"


def test_what_componium_wrote_carries_the_licence_of_its_model(tmp_path: Path) -> None:
    for name in ("a.mid", "a.abc", "a.musicxml"):
        write_score(piece(), tmp_path / name, origin=Origin(made="generated", licence="CC BY-NC 4.0"))
        assert stated_in(tmp_path / name) == "CC BY-NC 4.0", name


def test_a_licence_file_beside_the_pieces(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    for number, name in enumerate(("a.mid", "one/b.mid", "one/deep/c.mid", "two/d.mid", "three/e.mid")):
        write_score(piece(50 + number), folder / name)
    (folder / "one" / "LICENSE.txt").write_text("SPDX-License-Identifier: CC-BY-SA-4.0\n")
    (folder / "two" / "Licence").write_text("Ask my cousin; he may know.")
    (folder / "three" / "COPYING").write_text(Path(__file__).parents[2].joinpath("LICENSE").read_text())
    (tmp_path / "LICENSE").write_text("CC0")  # above the folder that was given: not its licence
    corpus = open_corpus(folder)
    assert {item.name: item.licence for item in corpus} == {
        "a.mid": "unknown", "one/b.mid": "CC-BY-SA-4.0", "one/deep/c.mid": "CC-BY-SA-4.0",
        "three/e.mid": "Apache 2.0", "two/d.mid": "unknown (Licence is not recognised)"}
    assert corpus.summary()["licence_classes"] == {"attribution": 1, "share-alike": 2, "unknown": 2}
    assert "most restrictive: unknown (2 of 5 items)" in corpus.report()
    (folder / "three" / "e.mid").write_bytes(midi(meta(2, b"CC0")))
    assert {item.name: item.licence for item in open_corpus(folder)}["three/e.mid"] == "CC0"
    assert open_corpus(folder / "one" / "b.mid")[0].licence == "CC-BY-SA-4.0"
    assert licences_beside(folder, [folder / "none"]) == {}


@pytest.mark.parametrize(("text", "name", "kind"), [
    ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International Public License. " + "words of law " * 90
     + "dedicated to the public domain under the CC0 Public Domain Dedication", "CC BY-NC-SA 4.0", "non-commercial"),
    ("GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007 " + "not available as proprietary, personal use only " * 30,
     "GPL 3", "share-alike"),
    ("MIT License. Permission is hereby granted, free of charge. " + "words " * 300
     + "The folder data is CC BY-NC 4.0.", "CC BY-NC 4.0", "non-commercial"),
    ("You may place your changes in the Public Domain, given in the public domain. " + "words of law " * 90,
     "unknown", "unknown"),
    ("CC0 1.0 Universal " + "not licensed, no rights " * 50, "CC0 1.0", "free")])
def test_whole_licences_by_their_name(text: str, name: str, kind: str) -> None:
    assert (licence_name(text), licence_class(text)) == (name, kind)
