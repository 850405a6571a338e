"""Licences: what a line of terms means, which of several asks the most, and what may be said of a whole set.

A licence is kept as the text in which it was found; its class is read from that text by the names that
licences have (Creative Commons, SPDX, GNU, public domain marks). What is not recognised is "unknown", and
unknown is not free. Nothing here is legal advice: the classes order what was stated, no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from componium.music.item import UNKNOWN_LICENCE

RESTRICTIVENESS = ("free", "attribution", "share-alike", "non-commercial", "encoding not stated", "reserved", "unknown")
"""The classes, from the one that asks least to the one that asks most."""

MEANINGS = {
    "free": "no conditions are stated (public domain, CC0)",
    "attribution": "the authors are to be named and their notice kept (CC BY, MIT, BSD, Apache)",
    "share-alike": "the authors are to be named, and what is derived and passed on keeps the same terms (CC BY-SA, "
                   "GPL, ODbL)",
    "non-commercial": "no commercial use is allowed",
    "encoding not stated": "the works are in the public domain, but nobody has stated what may be done with the files",
    "reserved": "rights are reserved: ask the holder before anything made with it is passed on",
    "unknown": "no terms were found, which is not the same as free",
}

_NAMES_OF = {
    "reserved": r"\bby-(nc-)?nd\b",
    "non-commercial": r"\bby-nc\b|\bcc[- ]nc\b",
    "share-alike": r"\bby-sa\b|\b[al]?gpl|general public licen[cs]e|\bodbl\b|open database licen[cs]e|\bgfdl\b"
                   r"|free documentation licen[cs]e|\bmpl\b|mozilla public|free art licen[cs]e|\bofl\b",
    "attribution": r"\bcc-by\b|licenses/by\b|creative ?commons attribution|\battribution \d|^attribution$|\bodc-by\b"
                   r"|\bmit\b(?= ?([,;.()/]|$|licen|or\b|and\b))|permission is hereby granted, free of charge"
                   r"|\bbsd\b|\bapache\b|\bisc licen|redistribution and use in source and binary forms",
    "free": r"\bcc[- ]?0\b|\bcc-?zero\b|publicdomain/(zero|mark)|\bpddl\b|\bunlicense\b|\b0bsd\b"
            r"|free and unencumbered",
}
"""Class -> names of licences, in the words that `_plain` returns."""
_PHRASES_OF = {
    "reserved": r"no[- ]?derivat|proprietary|\b(research|personal) (use )?only|not (to )?be (redistributed|copied)"
                r"|not for (re)?distribution",
    "encoding not stated": r"licen[cs]e (of the encodings? )?(is )?(not stated|unstated)",
    "non-commercial": r"\bnon[- ]?commercial(?!ly)|\bnicht[- ]?kommerziell|\bno commercial"
                      r"|\bnot (to )?(be )?(used )?(for )?commercial",
    "share-alike": r"share[- ]?alike",
    "free": r"\b(no|without) rights reserved|(dedicated|released|placed|given) (in)?(to)? ?the public[- ]domain",
}
"""Class -> phrases of people; inside a whole licence they can mean anything, and its name says more."""
_RIGHTS_KEPT = r"\ball rights (are )?reserved|\balle rechte vorbehalten|tous droits réservés"
_NOTICE = r"copyright|\(c\)|©|℗"
_PUBLIC_DOMAIN = r"public[- ]domain|gemeinfrei|domaine public|\bpdm\b|\bpd\b"
_NEGATED = r"\b(not|no longer|never|isn't) (yet )?(licen[cs]ed|released|available|in|under|part of|dedicated)\b"
_WHOLE, _OPENING, _SHORT = 1000, 400, 100
"""Characters of a text that is a whole licence, of its opening with the name, and of a name as people write it."""
_SHORT_NAMES = (
    (r"cc0|publicdomain/zero|cc-?zero", "CC0"), (r"gnu affero general public", "AGPL"),
    (r"gnu lesser general public", "LGPL"), (r"gnu general public", "GPL"),
    (r"open database licen[cs]e|\bodbl\b", "ODbL"), (r"free documentation licen[cs]e", "GFDL"),
    (r"mozilla public", "MPL"), (r"\bmit licen|permission is hereby granted, free of charge", "MIT"),
    (r"redistribution and use in source and binary forms|\bbsd\b", "BSD"), (r"\bapache", "Apache"),
    (r"unlicense|free and unencumbered", "Unlicense"), (r"free art licen[cs]e", "Free Art Licence"),
)
_CREATIVE_COMMONS = (r"\bby(-nc)?-(nc|sa|nd)\b|\bcc-by\b", "")


def licence_class(text: str) -> str:
    """Return the class of a licence, one of `RESTRICTIVENESS`, as its text names it.

    Of several licences in one text the most restrictive counts. A copyright notice without a licence is
    "reserved"; a text that is empty, denies ("not released under ...") or names nothing known is "unknown".

    Args:
        text: a line such as ``"CC BY-SA 4.0"``, an SPDX line, an address of Creative Commons, or a whole licence file.
    """
    words = _plain(text)
    if not words or words.startswith(UNKNOWN_LICENCE):
        return UNKNOWN_LICENCE
    found = [name for name, pattern in _NAMES_OF.items() if re.search(pattern, words)]
    whole = len(words) > _WHOLE
    if not whole and re.search(_NEGATED, words):
        return UNKNOWN_LICENCE
    if not (whole and any(re.search(_NAMES_OF[name], words[:_OPENING]) for name in found)):
        found += [name for name, pattern in _PHRASES_OF.items()
                  if re.search(pattern, words) and not (whole and name == "free")]
    if found:
        return max(found, key=RESTRICTIVENESS.index)
    return _class_of_notice(words, whole)


def _class_of_notice(words: str, whole: bool) -> str:
    """Return the class of a text that names no licence: a copyright notice, or the words public domain."""
    if re.search(_RIGHTS_KEPT, words):
        return "reserved"
    public = re.search(_PUBLIC_DOMAIN, words)
    notice = re.search(rf"({_NOTICE})[^a-z]*\d{{4}}", words) or (re.search(_NOTICE, words) and not public)
    return "reserved" if notice else "free" if public and not whole else UNKNOWN_LICENCE


def licence_name(text: str) -> str:
    """Return the short name of a licence of which the whole text, or a file's words about it, are given.

    SPDX lines and texts of one short line are returned as they are; a longer text by the names that are found in it,
    those of its most restrictive class; "unknown" where there are none.
    """
    marked = re.findall(r"SPDX-License-Identifier:\s*(\S.*?)\s*(?:-->|\*/)?\s*$", text[:_OPENING], re.MULTILINE)
    line = "; ".join(dict.fromkeys(marked)) or " ".join(text.split())
    if len(line) <= _SHORT:
        return line or UNKNOWN_LICENCE
    kind, words = licence_class(text), _plain(text)
    names = []
    for pattern, name in (*_SHORT_NAMES, _CREATIVE_COMMONS):
        if found := re.search(pattern, words):
            name = name or f"CC {found[0].removeprefix('cc-').upper()}"
            names.append((found.start(), name + _version(words, found.end())))
    return next((name for _, name in sorted(names) if licence_class(name) == kind), kind)


def _version(words: str, place: int) -> str:
    found = re.match(r"\W*(?:international )?(?:licen[cs]e)?\W*(?:version |v\.? ?)?(\d\.\d|\d)\b", words[place:])
    return f" {found[1]}" if found else ""


def most_restrictive(licences: Iterable[str]) -> str:
    """Return the licence that asks the most: what is made from all of them inherits it; none at all is "unknown"."""
    return max(sorted(licences), key=lambda text: RESTRICTIVENESS.index(licence_class(text)), default=UNKNOWN_LICENCE)


def classes_of(licences: Mapping[str, int]) -> dict[str, int]:
    """Return class -> number of items, the class that asks least first, of licence -> number of items."""
    counts = dict.fromkeys(RESTRICTIVENESS, 0)
    for text, count in licences.items():
        counts[licence_class(text)] += count
    return {name: count for name, count in counts.items() if count}


def rights_of(licences: Mapping[str, int]) -> str:
    """Say in a sentence or two what the licences of a set (licence -> number of items) ask of what is made from it."""
    classes = classes_of(licences)
    if not classes:
        return "there is nothing in it that could have terms"
    worst = max(classes, key=RESTRICTIVENESS.index)
    total, count = sum(classes.values()), classes[worst]
    share = "all items" if count == total else f"{count} of {total} items"
    return f"most restrictive: {worst} ({share}): {MEANINGS[worst]}. {_CONSEQUENCES[worst]}"


_CONSEQUENCES = {
    "free": "Nothing stated here stands against passing on a model trained on it, or selling its music.",
    "attribution": "Name the sources with a model that is passed on; nothing stated stands against selling its music.",
    "share-alike": "Passing on a model trained on it may have to happen under the same terms.",
    "non-commercial": "Do not sell a model trained on it, or its music, without the permission of the holders.",
    "encoding not stated": "Passing on a model trained on it, or selling its music, is nowhere granted and nowhere "
                           "refused: decide for your country, or ask the encoders.",
    "reserved": "Keep a model trained on it to yourself until you have that permission.",
    "unknown": "Find out the terms before you pass on a model trained on it or sell its music.",
}


def _plain(text: str) -> str:
    """Return a text in lower case with single spaces, ``cc by-nc`` in every way of writing it."""
    words = re.sub(r"\s+", " ", text).strip().lower().replace("_", "-")
    words = re.sub(r"attribution[- ]?non[- ]?commercial", "by-nc", words)
    words = re.sub(r"attribution[- ]?share[- ]?alike", "by-sa", words)
    words = re.sub(r"attribution[- ]?no[- ]?deriv\w*", "by-nd", words)
    words = re.sub(r"by-nc[- ]?share[- ]?alike", "by-nc-sa", words)
    words = re.sub(r"by-nc[- ]?no[- ]?deriv\w*", "by-nc-nd", words)
    words = re.sub(r"\bcc[ -]*by\b|creative ?commons attribution\b", "cc-by", words)
    words = re.sub(r"\bby[ -]+(?=(nc|nd|sa)\b)", "by-", words)
    return re.sub(r"\bcc-by(?=-(nc|nd|sa)\b)", "by", words)
