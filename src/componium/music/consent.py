"""Consent: no model learns a person's voice without a file that says who allows it, for what and until when.

A set of recordings is a voice where its user says so, or where the name of a file or a folder in it does: a word for
voice, speech or singing in one of some languages (`VOICE_WORDS`), unless a word for "no" stands before it, as in
``no_vocals``. Sound itself is not judged. Names can be wrong either way, so the user's word counts more than theirs.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from componium.music.errors import BadFile, BadInput
from componium.music.item import Item

FILE_NAME = "consent.yml"
EXAMPLE = """who: Maria Example
for: training an instrument for her album, and playing it live
until: 2030-12-31"""
KEYS = ("who", "for", "until")
UNLIMITED = "unlimited"
LARGEST_BYTES = 65536

_WORDS = """
    voice voices vocal vocals vox speech speaking spoken singing singer singers sung acappella cappella rapping rapper
    narration narrator podcast audiobook
    stimme stimmen gesang gesänge sprache sprecher sprecherin gesprochen gesungen sänger sängerin vokal
    voix parole paroles chant chants chanteur chanteuse voz voces habla canto cantante cantado locutor locutora
    voce voci parlato cantato vozes fala cantor cantora zang zanger zangeres spraak röst sång sångare laulu puhe
    hlas zpěv głos śpiew mowa голос голоса вокал пение речь
    """
VOICE_WORDS = frozenset(re.findall(r"\S+", _WORDS)) | {"acapella"}  # codespell:ignore acapella
"""Words that make a name that of a voice. Left out are those that name other sound as often: stem, alto, choir."""
VOICE_SIGNS = ("声", "ボーカル", "歌唱", "语音", "語音", "목소리", "보컬", "음성")
"""The same in writing that puts no spaces between words."""
NO_WORDS = frozenset(("no", "non", "not", "without", "minus", "ohne", "sans", "sin", "senza", "zonder", "utan", "bez",
                      "без"))


@dataclasses.dataclass(frozen=True)
class Consent:
    """A consent that holds.

    Attributes:
        who: gives it.
        purpose: what for.
        until: the last day, as a date or ``"unlimited"``.
        sha256: of the file.
        path: the file.
    """

    who: str
    purpose: str
    until: str
    sha256: str
    path: Path


def read_consent(path: Path, *, today: datetime.date | None = None) -> Consent:
    """Read a file of consent: lines ``key: value`` with the keys who, for and until; ``#`` begins a remark.

    Raises:
        BadFile: it cannot be read, is incomplete, or has expired.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_BYTES)
        told = _lines(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadFile(path, f"is not text in UTF-8. {_asked()}") from error
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error}). {_asked()}") from error
    missing = [key for key in KEYS if not told.get(key)]
    if missing:
        raise BadFile(path, f"is incomplete: it does not say {', '.join(missing)}. {_asked()}")
    until = told["until"].lower()
    if until != UNLIMITED:
        try:
            last = datetime.date.fromisoformat(until)
        except ValueError as error:
            raise BadFile(path, f"says until: {told['until']}, which is neither a date such as 2030-12-31 nor "
                                f"{UNLIMITED}. {_asked()}") from error
        if last < (today or datetime.date.today()):
            raise BadFile(path, f"has expired: the consent of {told['who']} was given until {until}. Ask again, and "
                                f"{_asked()[0].lower()}{_asked()[1:]}")
    return Consent(told["who"], told["for"], until, hashlib.sha256(data).hexdigest(), path)


def _lines(text: str) -> dict[str, str]:
    """Return ``key: value`` lines; an indented line goes on with the value before, as in YAML."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        told = re.match(r"([A-Za-z]+)\s*:(?:\s+(.*))?$", line)
        if told:
            key = told[1].lower()
            found[key] = _unquoted((told[2] or "").strip())
        elif line[:1].isspace() and line.strip() and key:
            found[key] = f"{found[key]} {_unquoted(line.strip().removeprefix('- '))}".strip()
    return found


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].strip()
    return "" if text in (">", "|", "~", "null") else text


def _asked() -> str:
    return f"Write into {FILE_NAME} beside the recordings, for example:\n{EXAMPLE}"


def voice_word(item: Item, roots: Sequence[Path] = ()) -> str:
    """Return the word that makes a recording a voice by its name, or ``""``.

    Args:
        item: a recording.
        roots: files and folders that were given by the user: their own names count too, those above them do not.
    """
    names = [Path(item.name).stem]
    if item.path is not None:
        path = Path(item.path).absolute()
        root = _root_of(path, roots)
        names = [root.name, *path.relative_to(root).parts[:-1], path.stem] if root is not None else [path.stem]
    for name in names:
        words = words_of(name)
        for before, word in zip(["", *words], words, strict=False):
            if word in VOICE_WORDS and before not in NO_WORDS:
                return word
        if signs := [sign for sign in VOICE_SIGNS if sign in name]:
            return signs[0]
    return ""


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: ``"leadVocals_02"`` is lead, vocals."""
    text = unicodedata.normalize("NFC", name)
    text = re.sub(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])", " ", text)
    return re.findall(r"[^\W\d_]+|\d+", text.lower())


def _root_of(path: Path, roots: Sequence[Path]) -> Path | None:
    """Return the given folder that a file lies in, or the given file that it is; the path is absolute."""
    known = (root.absolute() for root in roots)
    return next((root for root in known if root == path or root in path.parents), None)


def consents_for(items: Iterable[Item], voice: bool | None, *, roots: Sequence[Path] = (),
                 today: datetime.date | None = None) -> list[Consent]:
    """Return the consents that cover the voices among recordings, each once.

    Args:
        items: recordings.
        voice: whether they are voices, as the user says; None = by their names.
        roots: files and folders that the user gave. A consent lies in the folder of a recording or in one above, up
            to the root, or beside the root.
        today: to compare with; none = today.

    Raises:
        BadInput: a voice has no consent.
        BadFile: a consent is incomplete or has expired.
    """
    found: dict[Path, Consent] = {}
    for item in items if voice is not False else ():
        word = voice_word(item, roots)
        if not word and not voice:
            continue
        place = _place_of(item, roots)
        if place is None:
            raise BadInput(_missing(item, word if not voice else "", roots))
        if place not in found:
            found[place] = read_consent(place, today=today)
    return list(found.values())


def _place_of(item: Item, roots: Sequence[Path]) -> Path | None:
    """Return the nearest file of consent."""
    if item.path is None:
        return None
    path = Path(item.path).absolute()
    last = (_root_of(path, roots) or path).parent
    for folder in path.parents:
        if (folder / FILE_NAME).exists():
            return folder / FILE_NAME
        if folder == last:
            break
    return None


def _missing(item: Item, word: str, roots: Sequence[Path]) -> str:
    why = f"seems to be a person's voice (its name says {word!r})" if word else "is a person's voice, as you say"
    other = ". Where it is none, say so with --no-voice" if word else ""
    return f"{item.name} {why}, and none is learned without consent{other}. {_asked()}{_belongs(item, roots)}"


def _belongs(item: Item, roots: Sequence[Path]) -> str:
    if item.path is None:
        return "\n(recordings that were given as objects have no folder: give files)"
    path = Path(item.path).absolute()
    root = _root_of(path, roots)
    return f"\n(the file belongs into {root if root is not None and root.is_dir() else path.parent})"


def told_of(consents: Sequence[Consent], voice: bool | None) -> dict[str, str]:
    """Return what the provenance of a model says: whether it is a voice and who says so, and the consents."""
    if voice is False:
        return {"voice": "no, as stated with --no-voice"}
    if not consents:
        return {"voice": "no, by the names of the recordings"}
    told = {"voice": "yes, as stated with --voice" if voice else "yes, by the names of the recordings"}
    return told | {f"consent_{name}": "; ".join(getattr(each, field) for each in consents)
                   for name, field in (("who", "who"), ("for", "purpose"), ("until", "until"), ("sha256", "sha256"))}
