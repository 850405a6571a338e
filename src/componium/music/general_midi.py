"""The 128 General MIDI instruments by name."""

from __future__ import annotations

import difflib
import re

from componium.music.errors import BadInput

INSTRUMENTS = (
    "acoustic grand piano", "bright acoustic piano", "electric grand piano", "honky-tonk piano",
    "electric piano 1", "electric piano 2", "harpsichord", "clavinet",
    "celesta", "glockenspiel", "music box", "vibraphone", "marimba", "xylophone", "tubular bells", "dulcimer",
    "drawbar organ", "percussive organ", "rock organ", "church organ",
    "reed organ", "accordion", "harmonica", "tango accordion",
    "acoustic guitar (nylon)", "acoustic guitar (steel)", "electric guitar (jazz)", "electric guitar (clean)",
    "electric guitar (muted)", "overdriven guitar", "distortion guitar", "guitar harmonics",
    "acoustic bass", "electric bass (finger)", "electric bass (pick)", "fretless bass",
    "slap bass 1", "slap bass 2", "synth bass 1", "synth bass 2",
    "violin", "viola", "cello", "contrabass", "tremolo strings", "pizzicato strings", "orchestral harp", "timpani",
    "string ensemble 1", "string ensemble 2", "synth strings 1", "synth strings 2",
    "choir aahs", "voice oohs", "synth voice", "orchestra hit",
    "trumpet", "trombone", "tuba", "muted trumpet", "french horn", "brass section", "synth brass 1", "synth brass 2",
    "soprano sax", "alto sax", "tenor sax", "baritone sax", "oboe", "english horn", "bassoon", "clarinet",
    "piccolo", "flute", "recorder", "pan flute", "blown bottle", "shakuhachi", "whistle", "ocarina",
    "square lead", "sawtooth lead", "calliope lead", "chiff lead", "charang lead", "voice lead", "fifths lead",
    "bass and lead", "new age pad", "warm pad", "polysynth pad", "choir pad", "bowed pad", "metallic pad", "halo pad",
    "sweep pad", "rain", "soundtrack", "crystal", "atmosphere", "brightness", "goblins", "echoes", "sci-fi",
    "sitar", "banjo", "shamisen", "koto", "kalimba", "bagpipe", "fiddle", "shanai",
    "tinkle bell", "agogo", "steel drums", "woodblock", "taiko drum", "melodic tom", "synth drum", "reverse cymbal",
    "guitar fret noise", "breath noise", "seashore", "bird tweet", "telephone ring", "helicopter", "applause",
    "gunshot",
)
"""Names in the order of their programs, 0..127."""

ALIASES = {
    "piano": 0, "grand piano": 0, "electric piano": 4, "rhodes": 4, "clavichord": 7, "bells": 14, "organ": 19,
    "pipe organ": 19, "hammond": 16, "harmonium": 20, "bandoneon": 23, "guitar": 24, "classical guitar": 24,
    "electric guitar": 27, "bass": 32, "double bass": 43, "upright bass": 32, "electric bass": 33, "violoncello": 42,
    "strings": 48, "string orchestra": 48, "pizzicato": 45, "harp": 46, "choir": 52, "voices": 52, "voice": 53,
    "aahs": 52, "oohs": 53, "horn": 60, "brass": 61, "sax": 65, "saxophone": 65, "cor anglais": 69, "panpipes": 75,
    "vibes": 11, "synth": 81, "lead": 80, "pad": 89, "synth bass": 38, "kettledrums": 47,
}
"""Everyday names -> program."""


def instrument_name(program: int) -> str:
    """Return the General MIDI name of a program 0..127; raises `BadInput` outside."""
    if not 0 <= program <= 127:
        raise BadInput(f"a General MIDI program is 0..127, not {program}")
    return INSTRUMENTS[program]


def program_of(instrument: str | int) -> int:
    """Return the program of an instrument: ``"violin"``, ``"Alto Sax"``, ``"choir"``, ``40`` or ``"40"``.

    Raises:
        BadInput: no such instrument; the message lists the near ones.
    """
    text = _plain(str(instrument))
    if re.fullmatch(r"-?\d+", text):
        program = int(text)
        instrument_name(program)
        return program
    names = {_plain(name): program for program, name in enumerate(INSTRUMENTS)}
    names |= {_plain(name): program for name, program in ALIASES.items()}
    if text in names:
        return names[text]
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.6)
    near += [name for name in names if text and text in name.split() and name not in near][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "for example piano, organ, violin, choir or flute"
    raise BadInput(f"there is no General MIDI instrument {instrument!r}: {hint}")


def _plain(name: str) -> str:
    """Return a name in lower case with single spaces for everything that is not a letter or digit."""
    if re.fullmatch(r"\s*-?\d+\s*", name):
        return name.strip()
    return " ".join(re.sub(r"[\W_]+", " ", name.lower()).split())
