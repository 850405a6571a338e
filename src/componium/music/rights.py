"""Rights: what a file of music, or a licence file beside it, says about its terms.

Each format has its place: ``rights`` in MusicXML, remarks in ABC, the copyright event of MIDI, the reference
records ``YEC`` and ``YEM`` of kern, the tags of sound files; a file that Componium wrote says it in its origin. For
a folder there are files named LICENSE, LICENCE, COPYING, COPYRIGHT or UNLICENSE. What is found is returned as text;
`licences.licence_class` says what it means.
"""

from __future__ import annotations

import html
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from componium.music.errors import BadFile
from componium.music.item import UNKNOWN_LICENCE
from componium.music.licences import licence_class, licence_name
from componium.music.origin import read_origin

HEAD_BYTES = 65536
"""So much of a file is looked at: terms stand at its beginning."""
LONGEST = 160
"""Characters of terms that are kept."""
_LICENCE_FILE = re.compile(r"(un)?licen[cs]e|copying|copyright", re.IGNORECASE)
_TERMS = re.compile(r"copyright|©|\(c\) ?\d{4}|licen[cs]ed?\b|public[- ]domain|creative ?commons|\bcc[- ]?(0|by)\b"
                    r"|rights reserved|non-?commercial", re.IGNORECASE)


def stated_in(path: Path) -> str:
    """Return what a file says of its terms, in one line; empty where it says nothing or cannot be read.

    Of a file that Componium wrote, it is the licence in its origin: of what a model learned from, or what was
    converted. The tags of recordings are read by `stated_in_tags`.
    """
    reader = _READERS.get(path.suffix.lower())
    try:
        origin = read_origin(path)
        if origin is not None and origin.licence:
            return _one_line(origin.licence)
        return _one_line(reader(path)) if reader else ""
    except (OSError, BadFile, zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, EOFError, zlib.error):
        return ""


def stated_in_abc(fields: Mapping[str, Sequence[str]]) -> str:
    """Return what the fields of an ABC tune say of its terms; there is no field for them, so remarks are searched."""
    remarks = [text for letter in "ZNSFBH" for text in fields.get(letter, ()) if _TERMS.search(text)]
    return _one_line("; ".join(remarks))


def stated_in_tags(tags: Mapping[str, str]) -> str:
    """Return what the tags of a recording (``copyright``, ``license``) say of its terms."""
    return _one_line("; ".join(tags[key] for key in ("license", "copyright") if tags.get(key, "").strip()))


def licences_beside(root: Path, folders: Iterable[Path]) -> dict[Path, str]:
    """Return folder -> the licence that a file in it, or in the nearest folder above it up to the root, states.

    Folders without one are left out. A licence file whose text is not recognised, or that cannot be read, is
    "unknown", and named.
    """
    own: dict[Path, str] = {}
    found: dict[Path, str] = {}
    for folder in folders:
        line = [folder, *folder.parents]
        line = line[:line.index(root) + 1] if root in line else [folder]
        for place in line:
            if place not in own:
                own[place] = _licence_of_folder(place)
            if own[place]:
                found[folder] = own[place]
                break
    return found


def _licence_of_folder(folder: Path) -> str:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and _is_licence(entry.name))
    except OSError:
        return ""
    texts = {}
    for name in names:
        try:
            texts[name] = licence_name(_head(folder / name).decode("utf-8", "replace"))
        except OSError as error:
            texts[name] = f"{UNKNOWN_LICENCE} ({name} cannot be read: {error.strerror or error})"
    return "; ".join(text if licence_class(text) != UNKNOWN_LICENCE else
                     text if name in text else f"{UNKNOWN_LICENCE} ({name} is not recognised)"
                     for name, text in texts.items())


def _is_licence(name: str) -> bool:
    stem, extension = os.path.splitext(name)
    return (bool(_LICENCE_FILE.match(stem)) and extension.lower() in ("", ".txt", ".md", ".rst", ".html")) or \
        bool(re.fullmatch(r"(un)?licen[cs]e[.-][\w.-]+", name, re.IGNORECASE))


def _head(path: Path) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(HEAD_BYTES)


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _in_musicxml(path: Path) -> str:
    data = _zipped(path) if path.suffix.lower() == ".mxl" else _head(path)
    rights = re.findall(r"<rights\b[^>]*>(.*?)</rights>", _text(data), re.DOTALL)
    return "; ".join(html.unescape(re.sub(r"<[^>]+>|<!\[CDATA\[|\]\]>", "", text)).strip() for text in rights)


def _zipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.startswith("META-INF") and
                 name.lower().endswith((".xml", ".musicxml"))]
        if not names:
            return b""
        with archive.open(names[0]) as stream:
            return stream.read(HEAD_BYTES)


def _in_kern(path: Path) -> str:
    records = re.findall(r"^!!!(YEC|YEM|ONB|licen[cs]e)[^:\n]*:(.*)", _text(path.read_bytes()),
                         re.MULTILINE | re.IGNORECASE)
    return "; ".join(text.strip() for key, text in records if key.upper() != "ONB" or _TERMS.search(text))


def _in_abc(path: Path) -> str:
    """Return the terms in the head of an ABC file, before its first tune, and in the directive abc-copyright."""
    text = _text(_head(path))
    head = [line.strip("% ") for line in re.split(r"^\s*X:", text, maxsplit=1, flags=re.MULTILINE)[0].splitlines()]
    directives = [line.strip() for line in re.findall(r"^%%abc-copyright:?(.*)", text, re.MULTILINE)]
    return "; ".join(dict.fromkeys(line for line in (*head, *directives) if line in directives or _TERMS.search(line)))


def _in_midi(path: Path) -> str:
    """Return the copyright events at the start of the tracks."""
    data = _head(path)
    found: list[str] = []
    place = data.find(b"MTrk")
    while place >= 0:
        length = int.from_bytes(data[place + 4:place + 8], "big")
        found += _copyright_events(data[place + 8:place + 8 + length])
        place = data.find(b"MTrk", place + 8 + length)
    return "; ".join(dict.fromkeys(found))


def _copyright_events(track: bytes) -> list[str]:
    """Return the texts of the copyright events (FF 02) among the meta events that begin a track."""
    found, place = [], 0
    while place + 3 < len(track):
        _, place = _variable(track, place)
        if track[place:place + 1] != b"\xff":
            break
        kind = track[place + 1:place + 2]
        length, place = _variable(track, place + 2)
        if kind == b"\x02":
            found.append(_text(track[place:place + length]).strip("\0 \r\n\t"))
        place += length
    return [text for text in found if text]


def _variable(data: bytes, place: int) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    value = 0
    for byte in data[place:place + 4]:
        value, place = value << 7 | byte & 0x7F, place + 1
        if byte < 0x80:
            break
    return value, place


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else words[:LONGEST - 3].rstrip() + "..."


_READERS = {".mid": _in_midi, ".midi": _in_midi, ".musicxml": _in_musicxml, ".xml": _in_musicxml, ".mxl": _in_musicxml,
            ".krn": _in_kern, ".abc": _in_abc}
