"""The built-in song books: every tune or a named reason, each tune once, opened quickly."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from componium.music import essen, songs, tunes
from componium.music.abc import parse_abc
from componium.music.abc_voice import Bar
from componium.music.built_in import collections_of
from componium.music.corpus import Corpus, open_corpus
from componium.music.duplicates import near_duplicates
from componium.music.errors import BadInput, Cancelled, MissingExtra
from componium.music.essen import collection_of, with_mode
from componium.music.formats import read_text
from componium.music.item import Item
from componium.music.provenance import item_fingerprints, siblings
from componium.music.score import PHRASE_END, key_signature_of, meter, pickup_beats

A = "B2 AG|FGAB cBAF|G2 ed cAFA|GFGA G2 :|"
B = "e2 fe|dcBc A2 ce|dBGB ABcA|GFED G2 :|"
C = "c2 cc|G4 E4|F2 A2 c2 a2|g4 z4|"


def abc(number: int | str, music: str, key: str = "G", title: str = "", fields: str = "") -> str:
    return f"X:{number}\nT:{title or number}\nM:4/4\nL:1/8\n{fields}K:{key}\n{music}\n\n"


def higher(music: str) -> str:
    """Return the same notes an octave higher."""
    return re.sub(r"[A-Ga-g]", lambda found: found[0].lower() if found[0].isupper() else found[0] + "'", music)


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small copy of the folders, with a cache of its own."""
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "cache"))
    for module in (tunes, essen):
        monkeypatch.setattr(module, "corpus_folder", lambda _purpose: tmp_path)
    files = {
        "oneills1850/0001-0002.abc": abc(1, A, title="The First") + abc(2, B)
        + abc(2, C, fields="Z:(c) 1999 A. Name\n"),
        "oneills1850/bad.abc": "nothing",
        "ryansMammoth/FirstReel.abc": abc(1, higher(A)), "ryansMammoth/Broken.abc": abc(1, "A & B|"),
        "airdsAirs/book1.abc": abc("0001", B.replace("dcBc", "dcBd")) + abc("0002", "z4|"),
        "essenFolksong/erk10.abc": abc(1, "G2AB|c4\nd2 cB|G4", fields="N: E0001\n")
        + abc(2, "G2A_B|c4\nd2 c_B|_A2G2", fields="N: E0002\n") + abc(3, "G22|A4", fields="N: E0003\n", key="H")
        + abc(4, "G2 | 4A2|c4", fields="N: E0004\n") + abc(5, C, fields="N: E0001\n"),
        "essenFolksong/kinder0.abc": abc(1, "C2DE|F2G2\nC2C2", key="C", fields="N: K0001\n").replace("4/4", "none"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def reasons(corpus: Corpus) -> dict[str, str]:
    return {skipped.name: skipped.reason for skipped in corpus.skipped}


def test_tunes_are_read_named_and_kept_once(books: Path) -> None:
    corpus = open_corpus("tunes")
    assert [item.name for item in corpus] == ["oneill-1", "oneill-2", "oneill-2-2"]
    told = reasons(corpus)
    assert told.pop("aird-1").startswith("nearly the same melody as oneill-2 (")
    assert told == {
        "oneill-bad": "is not ABC: no tune begins (a line X:1)",
        "ryan-FirstReel": "same melody as oneill-1, perhaps in another key or rhythm",
        "ryan-Broken": "line 6: column 3: '&' cannot be read", "aird-2": "holds no notes"}
    assert corpus[0].content.tracks[0].name == "The First"  # type: ignore[union-attr]
    assert corpus[0].source.endswith("oneills1850/0001-0002.abc")
    assert [item.licence for item in corpus] == [tunes.LICENCE, tunes.LICENCE, "(c) 1999 A. Name"]
    assert corpus.summary()["licence_classes"] == {"encoding not stated": 2, "reserved": 1}
    assert "2 tunes are left out as near-duplicates of others, 3 remain" in corpus.report()


def test_a_collection_alone_keeps_what_only_another_one_repeats(books: Path) -> None:
    assert [item.name for item in open_corpus("tunes:ryan")] == ["ryan-FirstReel"]
    assert [item.name for item in open_corpus("tunes:aird,RYAN")] == ["ryan-FirstReel", "aird-1"]
    assert set(reasons(open_corpus("tunes:ryan"))) == {"ryan-Broken"}
    for wrong, told in (("tunes:ryn", "did you mean tunes:ryan"), ("tunes:", "choose from oneill, ryan, aird"),
                        ("chorales:1", "chorales is one collection"), ("tunes:xyz,ryan", "xyz")):
        with pytest.raises(BadInput, match=told):
            open_corpus(wrong)


def test_essen_asks_for_its_terms_first(books: Path) -> None:
    with pytest.raises(BadInput, match=r"non-commercial.*--accept-licence.*accept_licence=True"):
        open_corpus("essen")
    assert not (books / "cache").exists()
    corpus = open_corpus("essen", accept_licence=True)
    assert corpus.name == "essen"
    assert [item.name for item in corpus] == ["erk-E0001", "erk-E0002", "erk-E0001-2", "kinder-K0001"]
    assert set(reasons(corpus)) == {"erk-E0003", "erk-E0004"}
    assert "lost their letters" in reasons(corpus)["erk-E0004"]
    assert corpus.summary()["licence_classes"] == {"non-commercial": 4}
    assert "collections (essen:NAME opens one): erk 3, kinder 1" in corpus.report()
    assert [item.name for item in open_corpus("essen:kinder", accept_licence=True)] == ["kinder-K0001"]


def test_essen_has_phrases_modes_and_songs_without_meter(books: Path) -> None:
    corpus = open_corpus("essen", accept_licence=True)
    first, second, _, free = (item.content for item in corpus)
    assert [m.time for m in first.markers if m.text == PHRASE_END] == [4.0, 8.0]  # type: ignore[union-attr]
    assert str(key_signature_of(first)) == "G major"  # type: ignore[arg-type]
    phrygian = second.key_signatures[0]  # type: ignore[union-attr]
    assert (phrygian.key, phrygian.tonality) == (-3, 0)
    assert len(free.time_signatures) == 0 and pickup_beats(free) == 0.0  # type: ignore[union-attr, arg-type]


def test_the_mode_is_the_one_with_fewest_accidentals() -> None:
    for music, signature in (("G2 A2 B2 c2 d2 e2 ^f2", 1), ("G2 A2 _B2 c2 d2 _e2 =f2", -2), ("G2 A2 _B2 d2 e2 =f2", -1),
                             ("G2 A2 B2 c2 d2 =f2", 0), ("G2 _A2 _B2 d2 =f2", -3), ("G2 d2", 1)):
        assert with_mode(parse_abc(abc(1, music))[0]).key_signatures[0].key == signature, music
    assert with_mode(parse_abc(abc(1, "G2", key="Gm"))[0]).key_signatures[0].tonality == 1
    assert collection_of(Path("folkHaydn.abc")) == "folkhaydn" and collection_of(Path("teste.abc")) == "test"
    assert "erk" in collections_of("essen") and collections_of("chorales") == {}


def test_the_cache_is_used_damaged_ones_are_made_anew(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    first = open_corpus("tunes", progress=lambda _fraction, message: told.append(message))
    assert any("once; then the tunes are kept" in message for message in told)
    files = list((books / "oneills1850").iterdir())
    for path in files:
        path.rename(path.with_suffix(".gone"))
    again = open_corpus("tunes")
    assert [(item.name, item.hash) for item in again] == [(item.name, item.hash) for item in first]
    assert reasons(again) == reasons(first)
    for path in files:
        path.with_suffix(".gone").rename(path)
    cache = books / "cache" / "tunes.npz"
    cache.write_bytes(cache.read_bytes()[:-200])
    assert len(open_corpus("tunes")) == len(first)
    monkeypatch.setenv("COMPONIUM_CACHE", str(files[0] / "below"))
    assert "not kept" in " ".join(open_corpus("tunes").remarks)


def test_reading_can_be_cancelled_and_leaves_nothing(books: Path) -> None:
    def stop(_fraction: float, _message: str) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        open_corpus("tunes", progress=stop)
    assert not (books / "cache").exists()


def test_without_music21_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str, *, extra: str, purpose: str) -> None:
        raise MissingExtra(package, extra, purpose)

    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path))
    monkeypatch.setattr(songs, "require", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'componium\[notation\]'"):
        open_corpus("tunes")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Corpus]:
    pytest.importorskip("music21")
    cache = tmp_path_factory.mktemp("cache")

    def opened(name: str) -> Corpus:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COMPONIUM_CACHE", str(cache))
            return open_corpus(name, accept_licence=True)

    return opened


@pytest.mark.slow
def test_every_tune_or_a_reason(whole: Callable[[str], Corpus]) -> None:
    corpus = whole("tunes")
    assert len(corpus) + len(corpus.skipped) == 2009 + 1059 + 1180
    unread = [skipped.name for skipped in corpus.skipped if "melody as" not in skipped.reason]
    assert unread == ["ryan-BraesOfAuchentyreReel", "ryan-MyLadysGoonHasGairsOntStrathspey"]
    assert near_duplicates(list(corpus)) == []
    begun = time.perf_counter()
    assert len(whole("tunes")) == len(corpus) > 3700
    assert time.perf_counter() - begun < 1.0
    _no_sibling_straddles(corpus)
    essen_songs = whole("essen")
    assert len(essen_songs) + len(essen_songs.skipped) == 8514
    assert sum("melody" not in s.reason and "same music" not in s.reason for s in essen_songs.skipped) == 6
    assert sum(not len(item.content.time_signatures) for item in essen_songs) > 200  # type: ignore[union-attr]


@pytest.mark.slow
def test_no_chorale_melody_is_in_two_parts(whole: Callable[[str], Corpus]) -> None:
    _no_sibling_straddles(whole("chorales"))


def _no_sibling_straddles(corpus: Corpus) -> None:
    parts = corpus.split((0.8, 0.1, 0.1), by="melody")
    assert all(abs(len(part) / len(corpus) - share) < 0.05 for part, share in zip(parts, (0.8, 0.1, 0.1), strict=True))
    prints = [[frozenset(item_fingerprints(item)) for item in part] for part in parts]
    for first, second in ((1, 0), (2, 0), (2, 1)):
        assert not [one for one in prints[first] if any(siblings(one, other) for other in prints[second])]


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["oneills1850", "ryansMammoth", "airdsAirs", "essenFolksong"])
def test_notes_keys_and_meters_are_those_that_music21_reads(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("music21")
    monkeypatch.setattr("componium.music.abc.played", _as_written)
    every = [part for path in sorted((songs.corpus_folder("The test") / folder).glob("*.abc"))
             for part in re.split(r"(?m)^(?=\s*X:)", read_text(path)) if re.match(r"\s*X:", part)]
    sample, equal = every[7::len(every) // 50][:50], 0
    for text in sample:
        score = parse_abc(text)[0]
        notes, sharps, theirs = _by_music21(_without_signs(text))
        assert score.key_signatures[0].key == sharps, text
        assert theirs is None or meter(score) == theirs, text
        ours = sorted(score.tracks[0].notes, key=lambda note: note.time)
        equal += [(n.pitch, Fraction(n.duration).limit_denominator(1000)) for n in ours] == notes
    assert equal >= 0.94 * len(sample)  # it loses notes beside slurs that are written as ties, and some broken rhythms


def _as_written(bars: list[Bar]) -> list[Bar]:
    return bars


def _without_signs(text: str) -> str:
    """Return a tune without slurs, ornaments and remarks, beside which music21 loses ties and broken rhythms."""
    lines = []
    for line in text.splitlines():
        if not re.match(r"[A-Za-z]:|%", line):
            line = re.sub(r"\"[^\"]*\"|\{[^}]*\}|![^!]*!|`", "", line)
            line = re.sub(r"(?<![A-Za-z:])[HTuvkS](?=[A-Ga-g^_=(.])|[~.]", "", line)
            line = re.sub(r"\((?!\d)|\)", "", line)
            line = re.sub(r"([A-Ga-g])([',]*)(\d*/*\d*)-\s*(?=[\^_=]?[A-Ga-g])(?!\1\2(?![',]))", r"\1\2\3", line)
        lines.append(line)
    return "\n".join(lines)


def _by_music21(text: str) -> tuple[list[tuple[int, Fraction]], int | None, tuple[int, int] | None]:
    from music21 import converter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = converter.parse("%abc-2.1\n%%propagate-accidentals octave\n" + text, format="abc")
    part = (parsed.parts[0] if parsed.parts else parsed).stripTies()
    notes = [(pitch.midi, Fraction(note.duration.quarterLength).limit_denominator(1000))
             for note in part.recurse().notes if not note.duration.isGrace and "ChordSymbol" not in note.classes
             for pitch in note.pitches]
    key = part.recurse().getElementsByClass("KeySignature").first()
    time_signature = part.recurse().getElementsByClass("TimeSignature").first()
    return notes, key and key.sharps, time_signature and (time_signature.numerator, time_signature.denominator)


def test_items_are_read_when_needed(books: Path) -> None:
    item = open_corpus("tunes")[0]
    assert isinstance(item, Item) and "content" not in vars(item)
    assert item.content.note_num() and "content" in vars(item)  # type: ignore[union-attr]
