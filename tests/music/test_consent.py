"""Consent: who, for what, until when; what is incomplete, expired or missing is refused with an example."""

from __future__ import annotations

import datetime
import hashlib
import os
from pathlib import Path

import pytest

from componium.music.consent import consents_for, read_consent, told_of, voice_word
from componium.music.errors import BadFile, BadInput
from componium.music.gather import gather
from componium.music.item import Item

TODAY = datetime.date(2026, 1, 1)
WHOLE = "who: Ana Pérez\nfor: an instrument\nuntil: 2026-01-01\n"


@pytest.fixture
def voice(tmp_path):
    """Return a function that makes a recording below a folder that the user gave."""
    def make(name):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return Item(name, "audio", None, path=str(path))
    return make


def read(tmp_path, text, today=TODAY):
    (tmp_path / "consent.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_consent(tmp_path / "consent.yml", today=today)


def test_a_consent_is_read(tmp_path):
    found = read(tmp_path, WHOLE)
    assert (found.who, found.purpose, found.until) == ("Ana Pérez", "an instrument", "2026-01-01")
    assert found.sha256 == hashlib.sha256(WHOLE.encode()).hexdigest()
    found = read(tmp_path, "# by hand\n---\nWho: 'Ana'   # the singer\nfor: >\n  an album,\n  and concerts\n"
                           'until: "unlimited"\nplace: Lima\n')
    assert (found.who, found.purpose, found.until) == ("Ana", "an album, and concerts", "unlimited")


@pytest.mark.parametrize(("text", "told"), [
    ("", "does not say who, for, until"), ("who: Ana\nfor:\nuntil: unlimited", "does not say for"),
    ("who: Ana\nfor: x\nuntil: soon", "neither a date"), (b"\xff\xfe\x00", "not text"),
    ("who: Ana\nfor: x\nuntil: 2025-12-31", "has expired"),
])
def test_what_does_not_hold_is_refused_with_an_example(tmp_path, text, told):
    with pytest.raises(BadFile, match=told) as caught:
        read(tmp_path, text)
    assert "who: Maria Example" in str(caught.value) and "until: 2030-12-31" in str(caught.value)


@pytest.mark.parametrize(("name", "word"), [
    ("lead_vocals_01.wav", "vocals"), ("LeadVocals.wav", "vocals"), ("voice/01.wav", "voice"),
    ("Gesang/a.flac", "gesang"),
    ("la voz.mp3", "voz"), ("Sängerin.wav", "sängerin"), ("голос 3.wav", "голос"), ("女性の声.wav", "声"),
    ("acapella.wav", "acapella"), ("no_vocals.wav", ""), ("Take No. 3 Vocals.wav", "vocals"),
    ("without vocals.wav", ""), ("alto_sax/a2.flac", ""),
    ("stems/drums.wav", ""), ("choir pad.wav", ""), ("invoice.wav", ""), ("voicemail.wav", ""), ("song.wav", ""),
])
def test_names_tell_a_voice(voice, tmp_path, name, word):
    assert voice_word(voice(name), [tmp_path / "set"]) == word


def test_folders_above_what_was_given_do_not_count(tmp_path):
    (tmp_path / "voices" / "drums").mkdir(parents=True)
    item = Item("a.wav", "audio", None, path=str(tmp_path / "voices" / "drums" / "a.wav"))
    assert voice_word(item, [tmp_path / "voices" / "drums"]) == ""
    assert voice_word(item, [tmp_path / "voices"]) == "voices"
    assert voice_word(item) == "" and voice_word(Item("my voice", "audio", None)) == "voice"


def test_consent_lies_beside_or_above_the_recordings(voice, tmp_path):
    item, roots = voice("voice/deep/a.wav"), [tmp_path / "set"]
    for place in (tmp_path, tmp_path / "set", tmp_path / "set" / "voice", tmp_path / "set" / "voice" / "deep"):
        with pytest.raises(BadInput, match="none is learned without consent"):
            consents_for([item], None, roots=roots, today=TODAY)
        (place / "consent.yml").write_text(WHOLE)
        assert [found.path for found in consents_for([item, item], None, roots=roots, today=TODAY)] == [
            place / "consent.yml"]
        (place / "consent.yml").unlink()


def test_the_users_word_counts_more_than_names(voice, tmp_path):
    roots = [tmp_path / "set"]
    assert consents_for([voice("voice.wav")], False, roots=roots) == []
    assert consents_for([voice("drums.wav")], None, roots=roots) == []
    with pytest.raises(BadInput, match="as you say"):
        consents_for([voice("drums.wav")], True, roots=roots)
    with pytest.raises(BadInput, match="--no-voice"):
        consents_for([voice("voice.wav")], None, roots=roots)
    with pytest.raises(BadInput, match="have no folder"):
        consents_for([Item("ours", "audio", None)], True)
    assert told_of([], False)["voice"].startswith("no, as stated")
    (tmp_path / "set" / "consent.yml").write_text(WHOLE)
    told = told_of(consents_for([voice("drums.wav")], True, roots=roots, today=TODAY), True)
    assert told["voice"].startswith("yes, as stated") and told["consent_until"] == "2026-01-01"


def test_no_false_alarm_on_the_benchmark_recordings():
    root = Path(os.environ.get("COMPONIUM_BENCH_DATA", "")) / "audio"
    if not os.environ.get("COMPONIUM_BENCH_DATA") or not root.is_dir():
        pytest.skip("needs the benchmark data")
    items = gather(root).items
    assert len(items) > 100 and not [item.name for item in items if voice_word(item, [root])]
