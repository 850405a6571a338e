"""Finding a SoundFont: the order of the places, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from componium.music import soundfont
from componium.music.errors import BadFile, MissingExtra
from componium.music.soundfont import VARIABLE, find_soundfont, system_folders


def font(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF\x00\x00\x00\x00sfbk" + bytes(100))
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(soundfont, "system_folders", lambda: [tmp_path / "absent", tmp_path / "system"])
    monkeypatch.setattr(soundfont, "_bundled", lambda: None)
    return tmp_path


def test_explicit_path_goes_before_all(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(font(places / "variable.sf2")))
    found = find_soundfont(font(places / "Schöne Klänge.sf2"))
    assert found.name == "Schöne Klänge" and found.licence == "unknown"


def test_variable_goes_before_the_system(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    font(places / "system/default.sf2")
    monkeypatch.setenv(VARIABLE, str(font(places / "mine.sf2")))
    assert find_soundfont().name == "mine"
    assert VARIABLE in find_soundfont().source


def test_well_known_fonts_of_the_system_go_first(places: Path) -> None:
    for name in ("aaa.sf2", "TimGM6mb.sf2", "FluidR3_GM.sf2"):
        font(places / "system" / name)
    (places / "system/MuseScore_General.sf2").write_text("not a font")
    found = find_soundfont()
    assert (found.name, found.licence) == ("FluidR3_GM", "MIT")


def test_musescore_general_gives_way_to_others_where_it_would_be_muffled(places: Path,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    font(places / "system/MuseScore_General_Full.sf2")
    assert find_soundfont().name == "MuseScore_General_Full", "better than none"
    bundled = font(places / "TimGM6mb.sf2")
    monkeypatch.setattr(soundfont, "_bundled", lambda: bundled)
    assert find_soundfont().name == "TimGM6mb"
    font(places / "system/aaa.sf2")
    assert find_soundfont().name == "aaa"
    assert soundfont.training_soundfont().licence == "MIT"


def test_a_link_has_the_name_and_licence_of_its_font(places: Path) -> None:
    (places / "system").mkdir()
    try:
        (places / "system/default-GM.sf2").symlink_to(font(places / "elsewhere/TimGM6mb.sf2"))
    except OSError:
        pytest.skip("this system makes no links")
    found = find_soundfont()
    assert (found.name, found.licence) == ("TimGM6mb", "GPL-2.0")


def test_none_at_all_says_how_to_get_one(places: Path) -> None:
    with pytest.raises(MissingExtra) as caught:
        find_soundfont()
    assert "componium[soundfont]" in str(caught.value) and VARIABLE in str(caught.value)


def test_bad_paths_are_named(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = places / "text.sf2"
    text.write_text("a font it is not")
    for path, reason in ((places / "missing.sf2", "no such"), (places, "folder"), (text, "not a SoundFont")):
        with pytest.raises(BadFile, match=reason):
            find_soundfont(path)
    monkeypatch.setenv(VARIABLE, str(places / "gone.sf2"))
    with pytest.raises(BadFile, match=VARIABLE):
        find_soundfont()


def test_the_font_of_pretty_midi_is_found_with_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pretty_midi")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(soundfont, "system_folders", list)
    found = find_soundfont()
    assert (found.name, found.licence) == ("TimGM6mb", "GPL-2.0")
    assert found.path.stat().st_size > 1e6


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_system_has_folders(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv("PROGRAMDATA", "C:/ProgramData")
    assert len(system_folders()) >= 3
