"""The page of a quiz: one file that asks, plays, counts and keeps the answers; nothing leaves the browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Any

import numpy as np

from componium.cli.pages import command, document, paragraphs, section, table
from componium.cli.pages.parts import data_uri
from componium.cli.pages.sound import Sound
from componium.cli.quizzing.pairs import KINDS, Pair, Question
from componium.music.origin import Origin

TRAINING = {
    "none": "I listen, and do not play",
    "plays": "I play or sing",
    "studied": "I studied music, or music theory",
    "professional": "Music is my profession",
}
"""Musical training, as it is asked: key in the answers -> what is shown."""
ID_DIGITS = 12


@dataclass(frozen=True)
class Quiz:
    """What a page is made of.

    Attributes:
        composer: who composed the held-out pieces: ``"Bach"`` or ``"a human composer"``.
        model: the model as the user named it.
        pairs: what is compared.
        sounds: (of the held-out piece, of the model's), for each pair.
        questions: what is asked, in order.
        voices: how many voices the pieces have.
        origin: what made it.
        facts: name and value, what is said of how it was made.
        again: the command that makes the same.
        seed: of the order in which sounds lie in the page.
    """

    composer: str
    model: str
    pairs: Sequence[Pair]
    sounds: Sequence[tuple[Sound, Sound]]
    questions: Sequence[Question]
    voices: int
    origin: Origin
    facts: Sequence[tuple[str, str]]
    again: str
    seed: int = 0


def page(quiz: Quiz) -> str:
    """Return the whole page."""
    data = content(quiz)
    title = f"{'Bach' if quiz.composer == 'Bach' else 'A human'} or a program?"
    seconds = sum(quiz.sounds[each.pair][0].seconds * 2 for each in quiz.questions)
    lead = (f"A listening quiz: {len(quiz.questions)} pairs, one of each by {quiz.composer}, the other by a program. "
            f"Listening to all of it takes {max(1, round(seconds / 60))} minutes.")
    words = {"training": _choices(), "which": escape(asked(quiz.composer)),
             "writing": f"Which has the better {'part-writing' if quiz.voices > 1 else 'melody'}?",
             "data": _json(json.dumps(data, separators=(",", ":"))), "origin": _json(quiz.origin.to_json())}
    body = re.sub(r"\{([a-z]+)\}", lambda found: words[found[1]], _part("quiz.html"))
    body += f'<div class="about">{section("About this page", paragraphs(*about(quiz)), table((), quiz.facts))}'
    body += f"{command(quiz.again)}</div>"
    return document(title, body, lead=lead, style=_part("quiz.css"), script=_part("binomial.js") + _part("quiz.js"),
                    foot="This page loads nothing from any network, and sends nothing anywhere: answers stay in this "
                         "browser until you save them.")


def asked(composer: str) -> str:
    """Return the first question."""
    return "Which one did Bach compose?" if composer == "Bach" else "Which one did a human compose?"


def about(quiz: Quiz) -> list[str]:
    """Return what is said of the pairs and of the key."""
    human = "Bach" if quiz.composer == "Bach" else "the human"
    return [
        f"One piece of each pair is by {quiz.composer} and was not among what the program learned from; the other one "
        "was composed by the program, or filled in by it. None was chosen for how it sounds. Both have the same "
        "length, key signature, tempo, instrument and loudness; dynamics and timing are shaped alike, fermatas are "
        "left out, and the last chord is held, or the sound faded, alike.",
        f"Some pairs come twice with sides swapped, to see how consistent the answers are. The key that says which "
        f"is {human}'s is inside this page in a scrambled form, so that it cannot be read at a glance; it is no secret "
        "from somebody who looks for it.",
    ]


def content(quiz: Quiz) -> dict[str, Any]:
    """Return the data of the page: sounds in an order that tells nothing, the questions, and the scrambled key."""
    places = np.random.default_rng([quiz.seed, 5]).permutation(2 * len(quiz.pairs)).tolist()
    sounds = [""] * len(places)
    for number, both in enumerate(quiz.sounds):
        for side, sound in enumerate(both):
            sounds[places[2 * number + side]] = data_uri(sound.kind, sound.data)
    questions, answers = [], []
    for question in quiz.questions:
        human, made = places[2 * question.pair], places[2 * question.pair + 1]
        questions.append([human, made] if question.human_first else [made, human])
        answers.append({"pair": question.pair + 1, "kind": quiz.pairs[question.pair].kind, "repeat": question.repeat,
                        "human": "A" if question.human_first else "B"})
    key = json.dumps({"answers": answers, "names": [[pair.human_name, pair.made_name] for pair in quiz.pairs]})
    told = json.dumps([quiz.model, quiz.composer, questions, key, [hashlib.sha256(each.encode()).hexdigest()
                                                                   for each in sounds]])
    name = hashlib.sha256(told.encode()).hexdigest()[:ID_DIGITS]
    checkpoint = quiz.origin.models[0].checkpoint if quiz.origin.models else ""
    return {"id": name, "model": quiz.model, "checkpoint": checkpoint, "composer": quiz.composer, "kinds": KINDS,
            "questions": questions, "seconds": [round(quiz.sounds[each.pair][0].seconds, 2) for each in quiz.questions],
            "key": scrambled(key, name), "sounds": sounds}


def scrambled(text: str, word: str) -> str:
    """Return a text that cannot be read at a glance (it is no cipher): base64 of its bytes, each changed by a stream.

    The stream is xorshift32 (Marsaglia 2003), begun with the FNV-1a hash of a word.
    """
    state = 2166136261
    for byte in word.encode():
        state = (state ^ byte) * 16777619 & 0xFFFFFFFF
    changed = bytearray()
    for byte in text.encode():
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        changed.append(byte ^ state & 0xFF)
    return base64.b64encode(bytes(changed)).decode()


def _choices() -> str:
    return "".join(f'<label><input type="radio" name="training" value="{key}"> {escape(text)}</label>'
                   for key, text in TRAINING.items())


def _json(text: str) -> str:
    """Return JSON that may stand inside a script element."""
    return text.replace("<", "\\u003c")


def _part(name: str) -> str:
    return resources.files("componium.cli.quizzing").joinpath(name).read_text(encoding="utf-8")
