"""Chords and local keys, span by span: what a student writes below the staff as Roman numerals.

Each span (a beat) gets the chord template that explains its notes best, after Pardo and Birmingham, Algorithms for
chordal analysis, Computer Music Journal 26(2), 2002: what sounds and belongs to it counts for it, what sounds and does
not belong, and what belongs and is missing, counts against it. Which template is likely depends on the key, and the
key on its neighbours: the path of keys through the piece is found by dynamic programming, a change of key having its
price, as in Temperley, The Cognition of Basic Musical Structures, 2001, chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.evaluation.harmony.texture import Flags, Ints, phrase_ends_beats, sounding_classes, spans_of
from componium.music.keys import Key
from componium.music.score import CLOSE_BEATS, Score, key_signature_of
from componium.music.theory import CHORDS, key_of

QUALITIES = ("", "m", "dim", "aug", "7", "maj7", "m7", "m7b5", "dim7")
"""The chords that are looked for, as in `componium.music.theory.CHORDS`."""
TONIC, SUBDOMINANT, DOMINANT, APPLIED, OTHER = range(5)
"""Functions: APPLIED is the dominant of another degree than the tonic."""
SILENT = -1
Floats = npt.NDArray[np.float64]

# Degree in semitones above the tonic, quality -> (numeral, function, what it costs beside a note out of place: 1).
_MAJOR: dict[tuple[int, str], tuple[str, int, float]] = {
    (0, ""): ("I", TONIC, 0.0), (0, "maj7"): ("I", TONIC, 0.6),
    (2, "m"): ("ii", SUBDOMINANT, 0.1), (2, "m7"): ("ii", SUBDOMINANT, 0.1),
    (4, "m"): ("iii", TONIC, 0.4), (4, "m7"): ("iii", TONIC, 0.6),
    (5, ""): ("IV", SUBDOMINANT, 0.1), (5, "maj7"): ("IV", SUBDOMINANT, 0.5),
    (7, ""): ("V", DOMINANT, 0.0), (7, "7"): ("V", DOMINANT, 0.0),
    (9, "m"): ("vi", TONIC, 0.1), (9, "m7"): ("vi", TONIC, 0.4),
    (11, "dim"): ("viio", DOMINANT, 0.1), (11, "m7b5"): ("viiø", DOMINANT, 0.2),
}
_MINOR: dict[tuple[int, str], tuple[str, int, float]] = {
    (0, "m"): ("i", TONIC, 0.0), (0, "m7"): ("i", TONIC, 0.5), (0, ""): ("I", TONIC, 0.7),
    (2, "dim"): ("iio", SUBDOMINANT, 0.1), (2, "m7b5"): ("iiø", SUBDOMINANT, 0.1),
    (2, "m"): ("ii", SUBDOMINANT, 0.5), (2, "m7"): ("ii", SUBDOMINANT, 0.5),
    (3, ""): ("III", TONIC, 0.3), (3, "maj7"): ("III", TONIC, 0.6), (3, "aug"): ("III+", TONIC, 0.6),
    (5, "m"): ("iv", SUBDOMINANT, 0.1), (5, "m7"): ("iv", SUBDOMINANT, 0.1),
    (5, ""): ("IV", SUBDOMINANT, 0.4), (5, "7"): ("IV", SUBDOMINANT, 0.4),
    (7, ""): ("V", DOMINANT, 0.0), (7, "7"): ("V", DOMINANT, 0.0),
    (7, "m"): ("v", DOMINANT, 0.5), (7, "m7"): ("v", DOMINANT, 0.6),
    (8, ""): ("VI", TONIC, 0.1), (8, "maj7"): ("VI", TONIC, 0.4),
    (10, ""): ("VII", DOMINANT, 0.3), (10, "7"): ("VII", DOMINANT, 0.4),
    (9, "dim"): ("vio", TONIC, 0.8), (9, "m7b5"): ("viø", TONIC, 0.6),
    (11, "dim"): ("viio", DOMINANT, 0.1), (11, "dim7"): ("viio", DOMINANT, 0.1),
}
_APPLIED = {"": (7, "V", 1.3), "7": (7, "V", 1.1), "dim": (11, "viio", 1.3), "m7b5": (11, "viiø", 1.3),
            "dim7": (11, "viio", 1.2)}
"""Quality -> (semitones above the degree that it is the dominant of, numeral, cost)."""
_TARGETS = {"major": {2: "ii", 4: "iii", 5: "IV", 7: "V", 9: "vi"},
            "minor": {3: "III", 5: "iv", 7: "V", 8: "VI", 10: "VII"}}
STRANGE = 2.5
"""What a chord costs that is neither of the key nor an applied dominant."""
KEY_CHANGE = 0.8
FAR_KEY = 0.5
"""A change of key costs `KEY_CHANGE`, and `FAR_KEY` more for each fifth between the key signatures above one."""
HOME = 0.03
"""What each span costs for each fifth between its key's signature and the home key's."""
VOICES = 4.0
"""The notes of a span count as much as this many voices, however many there are."""


@dataclass(frozen=True, eq=False)
class Chords:
    """One chord per span, and the key around it; arrays [spans].

    Attributes:
        edges_beats: [spans + 1], where each span starts, and the end of the last.
        roots: pitch class, or `SILENT`.
        qualities: index into `QUALITIES`.
        basses: pitch class of the chord's note that is the lowest for longest.
        tonics: pitch class of the local key's tonic.
        minor: whether the local key is minor.
        functions: `TONIC`, `SUBDOMINANT`, `DOMINANT`, `APPLIED` or `OTHER`, in the local key.
        diatonic: whether the chord belongs to the local key (minor: natural, harmonic and melodic forms).
        clear: whether the notes are those of the chord for three quarters of their time, root and third among them.
        phrase: the number of the phrase, from 0.
        home: the key of the piece.
    """

    edges_beats: Floats
    roots: Ints
    qualities: Ints
    basses: Ints
    tonics: Ints
    minor: Flags
    functions: Ints
    diatonic: Flags
    clear: Flags
    phrase: Ints
    home: Key

    def __len__(self) -> int:
        return len(self.roots)

    @property
    def members(self) -> Flags:
        """Which pitch classes belong to each chord, [spans, 12]; none in silence."""
        return np.asarray(_TEMPLATES[self.roots * len(QUALITIES) + self.qualities] & (self.roots != SILENT)[:, None])

    @property
    def changes(self) -> Ints:
        """The spans where a chord begins: another root or quality than before, a new phrase, or after silence."""
        new = np.ones(len(self), bool)
        new[1:] = (np.diff(self.roots) != 0) | (np.diff(self.qualities) != 0) | (np.diff(self.phrase) != 0)
        return np.flatnonzero(new & (self.roots != SILENT))

    def numeral(self, span: int) -> str:
        """Return the Roman numeral in the local key, e.g. ``"V65"``, ``"iio6"``, ``"V7/V"``; ``"?"`` for others."""
        if self.roots[span] == SILENT:
            return ""
        degree, quality = int(self.roots[span] - self.tonics[span]) % 12, QUALITIES[self.qualities[span]]
        known = (_MINOR if self.minor[span] else _MAJOR).get((degree, quality))
        of = ""
        if known is None:
            targets = _TARGETS["minor" if self.minor[span] else "major"]
            distance, text, _ = _APPLIED.get(quality, (0, "?", 0.0))
            of = targets.get((degree - distance) % 12, "")
            if not of or text == "?":
                return "?"
        place = CHORDS[quality].index(int(self.basses[span] - self.roots[span]) % 12)
        figure = ("7", "65", "43", "42")[place] if len(CHORDS[quality]) == 4 else ("", "6", "64")[place]
        return f"{known[0] if known else text}{figure}{'/' + of if of else ''}"

    def key(self, span: int) -> Key:
        """Return the local key of a span."""
        return Key.of(int(self.tonics[span]), "minor" if self.minor[span] else "major")


def chords_of(score: Score) -> Chords:
    """Return the chords of a score's spans and their local keys.

    The home key is the key signature's, or the one that `key_of` estimates where none is stated.
    """
    home = key_signature_of(score) or key_of(score)[0]
    edges = spans_of(score)
    weights, bass_weights = sounding_classes(score, edges)
    total = weights.sum(axis=1)
    heard = total > 0.0
    shares = weights / np.where(heard, total, 1.0)[:, None]
    fit = _fit(shares)
    keys = _key_path(np.where(heard[:, None], _best_in_keys(fit), 0.0), home)
    template = np.argmax(fit - _COSTS[keys], axis=1)
    roots, qualities = template // len(QUALITIES), template % len(QUALITIES)
    members = _TEMPLATES[template]
    basses = np.argmax(np.where(members, bass_weights, -1.0), axis=1)
    clear = heard & ((shares * members).sum(axis=1) >= 0.75) & _has_root_and_third(shares, template)
    functions = _with_cadential_six_four(_FUNCTIONS[keys, template], template, basses, keys)
    return Chords(edges, np.where(heard, roots, SILENT), qualities, basses, keys % 12, keys >= 12,
                  np.where(heard, functions, OTHER), _DIATONIC[keys, template] & heard, clear,
                  _phrases(score, edges), home)


def _fit(shares: Floats) -> Floats:
    """Return how well each template explains each span, [spans, templates], in notes of `VOICES`."""
    inside = shares @ _TEMPLATES.T.astype(np.float64)
    missing = np.maximum(1.0 - VOICES * shares, 0.0) @ _MISSING.T  # a passing note is only partly there
    return np.asarray(VOICES * (2.0 * inside - 1.0) - missing + 0.4 * shares @ _ROOTS.T)


def _best_in_keys(fit: Floats) -> Floats:
    """Return how well the best chord of each key explains each span, [spans, 24]."""
    return np.stack([np.max(fit - cost, axis=1) for cost in _COSTS], axis=1)


def _key_path(gains: Floats, home: Key) -> Ints:
    """Return the path of keys, [spans], 0..11 major and 12..23 minor, with the highest sum of gains less costs."""
    signature = [Key.of(key % 12, "minor" if key >= 12 else "major").signature for key in range(24)]
    apart = np.abs(np.subtract.outer(signature, signature))
    apart = np.minimum(apart, 12 - apart)
    change = KEY_CHANGE + FAR_KEY * np.maximum(apart - 1.0, 0.0)
    np.fill_diagonal(change, 0.0)
    far = np.abs(np.asarray(signature) - home.signature)
    far = np.minimum(far, np.abs(12 - far))
    gains = gains - HOME * far
    came = np.zeros(gains.shape, np.int64)
    best = gains[0].copy()
    best[home.tonic_pitch_class + 12 * home.is_minor] += KEY_CHANGE
    for span in range(1, len(gains)):
        options = best[:, None] - change
        came[span] = np.argmax(options, axis=0)
        best = options[came[span], np.arange(24)] + gains[span]
    path = np.zeros(len(gains), np.int64)
    path[-1] = np.argmax(best)
    for span in range(len(gains) - 1, 0, -1):
        path[span - 1] = came[span, path[span]]
    return path


def _with_cadential_six_four(functions: Ints, template: Ints, basses: Ints, keys: Ints) -> Ints:
    """Return the functions; a tonic over its fifth that goes to the dominant on the same bass is part of it."""
    changed = functions.copy()
    tonic = keys % 12
    over_fifth = (template // len(QUALITIES) == tonic) & (basses == (tonic + 7) % 12)
    to_dominant = np.zeros(len(keys), bool)
    to_dominant[:-1] = (functions[1:] == DOMINANT) & (basses[1:] == basses[:-1]) & (keys[1:] == keys[:-1])
    changed[over_fifth & to_dominant] = DOMINANT
    return changed


def _has_root_and_third(shares: Floats, template: Ints) -> Flags:
    roots, thirds = template // len(QUALITIES), np.asarray([CHORDS[q][1] for q in QUALITIES])
    every = np.arange(len(template))
    third = (roots + thirds[template % len(QUALITIES)]) % 12
    return np.asarray((shares[every, roots] > 0.0) & (shares[every, third] > 0.0))


def _phrases(score: Score, edges: Floats) -> Ints:
    phrase = np.zeros(len(edges) - 1, np.int64)
    for end in phrase_ends_beats(score):
        phrase[np.searchsorted(edges[:-1], end - CLOSE_BEATS):] += 1
    return phrase


def _tables() -> tuple[Flags, Floats, Floats]:
    """Return for each template (root times qualities): members, cost of what is missing, the root; [templates, 12]."""
    members = np.zeros((12 * len(QUALITIES), 12), bool)
    missing, roots = np.zeros(members.shape), np.zeros(members.shape)
    for template in range(len(members)):
        root, steps = template // len(QUALITIES), CHORDS[QUALITIES[template % len(QUALITIES)]]
        for step in steps:
            members[template, (root + step) % 12] = True
            missing[template, (root + step) % 12] = 0.5 if step == 7 else 1.0
        roots[template, root] = 1.0
    return members, missing, roots


def _key_tables() -> tuple[Floats, Ints, Flags]:
    """Return for each of 24 keys and each template: cost, function, whether it is diatonic."""
    costs = np.full((24, 12 * len(QUALITIES)), STRANGE)
    functions, diatonic = np.full(costs.shape, OTHER), np.zeros(costs.shape, bool)
    for key in range(24):
        targets = _TARGETS["minor" if key >= 12 else "major"]
        for target in targets:
            for quality, (distance, _, cost) in _APPLIED.items():
                place = (key + target + distance) % 12 * len(QUALITIES) + QUALITIES.index(quality)
                costs[key, place], functions[key, place] = cost, APPLIED
        for (degree, quality), (_, function, cost) in (_MINOR if key >= 12 else _MAJOR).items():
            place = (key + degree) % 12 * len(QUALITIES) + QUALITIES.index(quality)
            costs[key, place], functions[key, place] = cost, function
            diatonic[key, place] = (degree, quality) != (0, "") or key < 12
    return costs, functions, diatonic


_TEMPLATES, _MISSING, _ROOTS = _tables()
_COSTS, _FUNCTIONS, _DIATONIC = _key_tables()
