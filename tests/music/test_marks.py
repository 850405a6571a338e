"""Marks: a small text file that says what is to be left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from componium.music.errors import BadFile
from componium.music.item import Item
from componium.music.marks import Mark, mark_of, read_marks, without_marked, write_marks
from componium.music.score import new_score


def item(name: str, digits: str) -> Item:
    return Item(name, "score", new_score(), hash=digits * (64 // len(digits)))


ITEMS = [item("a", "0a"), item("b", "1b"), item("Zwölf\tTöne", "2c")]


def test_marks_are_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "marks" / "exclude.txt"
    marks = [mark_of(ITEMS[0], "wrong\nnotes # and more"), mark_of(ITEMS[2]), mark_of(ITEMS[2])]
    write_marks(path, marks)
    read = read_marks(path)
    assert read == [Mark("a", "0a" * 6, "wrong notes # and more"), Mark("Zwölf Töne", "2c" * 6, "")]
    kept, skipped, unused = without_marked(ITEMS, read)
    assert [kept[0].name, len(kept), unused] == ["b", 1, []]
    assert [(s.name, s.reason) for s in skipped] == [
        ("a", "marked to be excluded (wrong notes # and more)"), ("Zwölf\tTöne", "marked to be excluded")]


@pytest.mark.parametrize("name", ["#1.mid", "-"])
def test_a_name_that_looks_like_a_remark_or_like_none_is_marked_by_its_hash(tmp_path: Path, name: str) -> None:
    odd = item(name, "3d")
    write_marks(tmp_path / "exclude.txt", [mark_of(odd, "noise")])
    kept, skipped, unused = without_marked([*ITEMS, odd], read_marks(tmp_path / "exclude.txt"))
    assert (kept, [each.name for each in skipped], unused) == (ITEMS, [name], [])


def test_lines_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "exclude.txt"
    path.write_text("\ufeff# mine\n\na\t# too short\nb\nx\t1B1b\r\n-\t2c2c\t# by hash\n", encoding="utf-8")
    read = read_marks(path)
    assert read == [Mark("a", "", "too short"), Mark("b"), Mark("x", "1b1b"), Mark("", "2c2c", "by hash")]
    kept, skipped, unused = without_marked(ITEMS, read)
    assert (len(kept), len(skipped), unused) == (0, 3, [Mark("x", "1b1b")])


def test_another_piece_of_the_name_is_kept() -> None:
    assert len(without_marked([item("a", "ff")], [mark_of(ITEMS[0])])[0]) == 1
    assert not Mark("").hits(ITEMS[0])


@pytest.mark.parametrize(("content", "told"), [
    (b"a\t0a\nb\tno hash\n", "line 2 is no mark"), (b"-\t-\n", "line 1 is no mark"), (b"\xff\xfe\x00", "not text")])
def test_what_is_no_list_of_marks_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "exclude.txt"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=told):
        read_marks(path)
    with pytest.raises(BadFile, match="cannot be read"):
        read_marks(tmp_path / "none.txt")
