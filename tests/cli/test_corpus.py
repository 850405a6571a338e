"""`componium corpus info, list, export`, and what `train` does with terms and marks."""

from __future__ import annotations

import json

from componium import checkpoint
from componium.music.corpus import open_corpus
from componium.music.marks import Mark, read_marks, write_marks


def test_the_list_names_the_collections(run):
    told = run("corpus", "list")
    assert told.exit_code == 0
    for name in ("chorales", "tunes", "essen", "tunes:ryan", "essen:erk", "--accept-licence"):
        assert name in told.stdout


def test_info_says_classes_and_rights(run, midi):
    (midi / "LICENSE").write_text("CC BY-NC 4.0\n")
    told = run("corpus", "info", midi)
    assert told.exit_code == 0, told.stderr
    assert "items by class of licence: non-commercial 5" in told.stdout
    assert "rights: most restrictive: non-commercial (all items)" in told.stdout
    summary = json.loads(run("corpus", "info", midi, "--json", "-").stdout)
    assert summary["licence_classes"] == {"non-commercial": 5}
    assert summary["licences"] == {"CC BY-NC 4.0": 5}


def test_terms_have_to_be_accepted(run, folder):
    for words in (("corpus", "info", "essen"), ("corpus", "export", "essen:erk", "out"),
                  ("train", "markov", "essen:erk", "--out", "m")):
        told = run(*words)
        assert told.exit_code != 0
        assert "non-commercial" in told.stderr and "--accept-licence" in told.stderr
    assert run("corpus", "info", "essen:ekr").stderr.count("did you mean essen:erk") == 1
    assert not list(folder.iterdir())


def test_marked_items_are_not_exported_and_not_learned(run, midi, folder):
    names = [item.name for item in open_corpus(midi)]
    write_marks("marks.txt", [Mark(names[0], reason="odd"), Mark(names[1])])
    told = run("corpus", "info", midi, "--exclude", "marks.txt")
    assert f"{names[0]}: marked to be excluded (odd)" in told.stdout
    assert run("corpus", "export", midi, "out", "--exclude", "marks.txt").exit_code == 0
    assert len(list((folder / "out").glob("*.mid"))) == len(names) - 2
    told = run("train", "markov", midi, "--exclude", "marks.txt", "--out", "m")
    assert told.exit_code == 0, told.stderr
    assert f"{names[0]}: marked to be excluded (odd)" in told.stdout
    assert list(checkpoint.load(folder / "m").provenance["names"]) == names[2:]
    assert read_marks("marks.txt")[0].reason == "odd"
    (folder / "bad.txt").write_text("a\tno hash\n")
    told = run("train", "markov", midi, "--exclude", "bad.txt", "--out", "n")
    assert told.exit_code != 0 and "line 1 is no mark" in told.stderr and not (folder / "n").exists()


def test_a_corpus_of_one_item(run, midi, folder):
    one = midi / "one"
    one.mkdir()
    next(path for path in sorted(midi.glob("*.mid")) if path.stem != "broken").rename(one / "a.mid")
    told = run("corpus", "info", one)
    assert told.exit_code == 0 and "one: 1 item\n" in told.stdout
    assert "  1 score: " in told.stdout and "families" not in told.stdout
    assert "rights: most restrictive: unknown (all items)" in told.stdout
