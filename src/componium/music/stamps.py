"""Texts inside files: where each format has room for a note that other programs leave alone, and how it is found.

A stamp is two texts: a line for people, and a note for programs that begins with `MARK` and goes on as JSON in ASCII.
MIDI: two text meta events at the start of the first track. MusicXML: two miscellaneous fields. SVG: a metadata
element. PNG: two text chunks. ABC: a directive and a comment below the title. WAV: the comment of a LIST/INFO chunk at
the end. FLAC, OGG and MP3 carry it as their comment, which libsndfile writes. `unstamped` gives the bytes back as they
were before.
"""

from __future__ import annotations

import html
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.etree import ElementTree

MARK = "componium-origin "
"""Begins the note; JSON follows."""
LONGEST_BYTES = 1 << 26
"""Files that hold text are read up to here."""
_PNG = b"\x89PNG\r\n\x1a\n"
_FIELD = '<miscellaneous-field name="componium{}">{}</miscellaneous-field>'
_FIELDS = re.compile(rb'<miscellaneous-field name="componium">[^<]*</miscellaneous-field>'
                     rb'<miscellaneous-field name="componium-origin">[^<]*</miscellaneous-field>')
_WHOLE_FIELDS = re.compile(rb"<miscellaneous>" + _FIELDS.pattern + rb"</miscellaneous>")
_METADATA = re.compile(rb'<metadata id="componium-origin">[^<]*</metadata>')
_ABC_LINES = re.compile(rb"%%" + MARK.encode() + rb"[^\n]*\n% [^\n]*\n")


def stamped(data: bytes, kind: str, line: str, note: str) -> bytes:
    """Return the bytes of a file with the two texts in it.

    Args:
        data: MIDI, MusicXML (not compressed), SVG, PNG or ABC, without a stamp.
        kind: the file's ending, such as ``".mid"``; an ending without room for texts changes nothing.
        line: for people.
        note: for programs, without `MARK`.
    """
    line, note = "".join(c if c.isprintable() else " " for c in line), MARK + note
    if kind in (".mid", ".midi"):
        return _in_first_track(data, _text_event(note) + _text_event(line))
    if kind in (".musicxml", ".xml"):
        return _in_identification(data, (_FIELD.format("", html.escape(line, quote=False))
                                         + _FIELD.format("-origin", html.escape(note, quote=False))).encode())
    if kind == ".svg":
        start = re.search(rb"<svg\b[^>]*>", data)
        text = html.escape(f"{line}\n{note}", quote=False)
        added = f'<metadata id="componium-origin">{text}</metadata>'.encode()
        return data if start is None else data[:start.end()] + added + data[start.end():]
    if kind == ".png":
        after = 8 + 12 + int.from_bytes(data[8:12], "big")  # behind the header chunk
        return data[:after] + _png_text("componium", note) + _png_text("Description", line) + data[after:]
    if kind == ".abc":
        title = re.search(rb"^T:[^\n]*\n", data, re.MULTILINE)
        at = title.end() if title else 0
        return data[:at] + f"%%{note}\n% {line}\n".encode() + data[at:]
    return data


def unstamped(data: bytes, kind: str) -> bytes:
    """Return the bytes of a file without what `stamped` put in, exactly as they were before."""
    if kind in (".mid", ".midi"):
        return _without_events(data)
    if kind in (".musicxml", ".xml"):
        short = _WHOLE_FIELDS.sub(b"", data, count=1)
        return short if short != data else _FIELDS.sub(b"", data, count=1)
    if kind == ".svg":
        return _METADATA.sub(b"", data, count=1)
    if kind == ".png":
        ours = [at for at, _, name, content in _png_chunks(data)
                if name == b"tEXt" and content.startswith((b"componium\0", b"Description\0"))]
        for at in reversed(ours[:2]):
            data = data[:at] + data[at + 12 + int.from_bytes(data[at:at + 4], "big"):]
        return data
    return _ABC_LINES.sub(b"", data, count=1) if kind == ".abc" else data


def add_to_wav(path: str | os.PathLike[str], text: str) -> None:
    """Append a LIST/INFO chunk with a comment to a WAV file; one that has no room for it (4 GB) stays as it is."""
    content = text.encode() + b"\0"
    content += b"\0" * (len(content) % 2)
    body = b"INFO" + struct.pack("<4sI", b"ICMT", len(content)) + content
    with open(path, "r+b") as file:
        size = file.seek(0, 2)
        if size + len(body) + 9 >= 1 << 32:
            return
        file.write(b"\0" * (size % 2) + struct.pack("<4sI", b"LIST", len(body)) + body)
        size = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", size - 8))


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return the kind of a file by its first bytes: ``".mid"``, ``".wav"``, ``".png"`` ..., or ``""``.

    ``".mxl"`` is a compressed archive, ``".abc"`` any other text. Raises `OSError` where it cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(4096)
    for first, kind in ((b"MThd", ".mid"), (_PNG, ".png"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"PK\3\4", ".mxl"),
                        (b"ID3", ".mp3"), (b"\xff\xfb", ".mp3")):
        if start.startswith(first):
            return kind
    if start[:4] == b"RIFF":
        return {b"WAVE": ".wav", b"RMID": ".mid"}.get(start[8:12], "")
    if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return ".svg" if b"<svg" in start else ".musicxml"
    return "" if b"\0" in start or not start.strip() else ".abc"


def texts_in(path: str | os.PathLike[str], kind: str) -> Iterator[str]:
    """Yield the texts of a file among which a note may be; of a damaged file those that can still be read."""
    if kind == ".wav":
        yield from _wav_texts(path)
        return
    if kind in (".flac", ".ogg", ".mp3"):
        import soundfile

        try:
            with soundfile.SoundFile(path) as file:
                yield file.comment
        except soundfile.LibsndfileError:
            pass
        return
    data = content_of(path, kind)
    if kind == ".png":
        yield from (content.partition(b"\0")[2].decode("latin-1") for _, _, name, content in _png_chunks(data)
                    if name == b"tEXt")
    elif kind in (".musicxml", ".mxl", ".svg"):
        yield from _xml_texts(data)
    elif kind:
        yield data.decode("latin-1")


def content_of(path: str | os.PathLike[str], kind: str) -> bytes:
    """Return the bytes of a file, of compressed MusicXML those of the score inside (at most `LONGEST_BYTES`)."""
    if kind != ".mxl":
        with open(path, "rb") as file:
            return file.read(LONGEST_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith((".xml", ".musicxml"))
                     and not name.startswith("META-INF")]
            with archive.open(names[0]) as file:
                return file.read(LONGEST_BYTES)
    except (zipfile.BadZipFile, IndexError, KeyError, EOFError, zlib.error, NotImplementedError, RuntimeError):
        return b""  # damaged, empty, or locked with a password


def without_note(text: str) -> str:
    """Return a comment of a sound file without the line for people and the note that end it."""
    before, found, _ = text.partition("\n" + MARK)
    return before.rpartition("\n")[0] if found else text


def _text_event(text: str) -> bytes:
    content = text.encode()
    length, size = [len(content) & 127], len(content) >> 7
    while size:
        length.insert(0, size & 127 | 128)
        size >>= 7
    return b"\0\xff\x01" + bytes(length) + content


def _in_first_track(data: bytes, events: bytes) -> bytes:
    at = 8 + int.from_bytes(data[4:8], "big")
    size = int.from_bytes(data[at + 4:at + 8], "big") + len(events)
    return data[:at + 4] + size.to_bytes(4, "big") + events + data[at + 8:]


def _without_events(data: bytes) -> bytes:
    at = 8 + int.from_bytes(data[4:8], "big")
    begin = end = at + 8
    for start in (MARK.encode(), b""):  # the note, and the line after it
        if data[end:end + 3] != b"\0\xff\x01":
            return data
        place, length = end + 3, 0
        while place < len(data):
            length, place = length << 7 | data[place] & 127, place + 1
            if data[place - 1] < 128:
                break
        if not data.startswith(start, place):
            return data
        end = place + length
    size = int.from_bytes(data[at + 4:at + 8], "big") - (end - begin)
    return data[:at + 4] + max(size, 0).to_bytes(4, "big") + data[end:]


def _in_identification(data: bytes, fields: bytes) -> bytes:
    """Put fields where the order of MusicXML's elements wants them."""
    for before, wrap in ((b"</miscellaneous>", b"%s"), (b"</identification>", b"<miscellaneous>%s</miscellaneous>")):
        if before in data:
            return data.replace(before, wrap.replace(b"%s", fields) + before, 1)
    place = re.search(rb"<defaults\b|<credit\b|<part-list\b", data)
    if place is None:
        return data
    added = b"<identification><miscellaneous>" + fields + b"</miscellaneous></identification>"
    return data[:place.start()] + added + data[place.start():]


def _png_text(keyword: str, text: str) -> bytes:
    content = keyword.encode() + b"\0" + text.encode("latin-1", "replace")
    return struct.pack(">I", len(content)) + b"tEXt" + content + struct.pack(">I", zlib.crc32(b"tEXt" + content))


def _png_chunks(data: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield (place, length, name, content) of the whole chunks of a PNG file."""
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at:at + 4], "big")
        if at + 12 + length > len(data):
            return
        yield at, length, data[at + 4:at + 8], data[at + 8:at + 8 + length]
        at += 12 + length


def _xml_texts(data: bytes) -> Iterator[str]:
    """Yield the texts of an XML file as far as it can be parsed, up to where the music begins."""
    parser: Any = ElementTree.XMLPullParser(["end"])
    try:
        for start in range(0, len(data), 1 << 16):
            parser.feed(data[start:start + (1 << 16)])
            for _, element in parser.read_events():
                name = element.tag.rpartition("}")[2]
                if name in ("miscellaneous-field", "metadata"):
                    yield element.text or ""
                if name == "part-list":
                    return
    except ElementTree.ParseError:
        return


def _wav_texts(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the comments of all LIST/INFO chunks of a WAV file, the last one first."""
    found: list[str] = []
    with open(path, "rb") as file:
        size, at = file.seek(0, 2), 12
        while at + 8 <= size:
            file.seek(at)
            name, length = struct.unpack("<4sI", file.read(8))
            if name == b"LIST" and length < LONGEST_BYTES:
                found += _comments(file, length)
            at += 8 + length + length % 2
    yield from reversed(found)


def _comments(file: BinaryIO, length: int) -> Iterator[str]:
    data, at = file.read(length), 4
    while data[:4] == b"INFO" and at + 8 <= len(data):
        name, size = struct.unpack("<4sI", data[at:at + 8])
        if name == b"ICMT":
            yield data[at + 8:at + 8 + size].rstrip(b"\0").decode("utf-8", "replace")
        at += 8 + size + size % 2
