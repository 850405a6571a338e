"""`componium corpus shards`, and what `train` says of shards on the command line."""

from __future__ import annotations

import tarfile

import numpy as np
import soundfile


def recordings(folder, count=5):
    folder.mkdir(parents=True)
    for number in range(count):
        sound = 0.2 * np.random.default_rng(number).standard_normal(160_000)
        soundfile.write(folder / f"Stück {number}.wav", sound.clip(-1, 1).astype(np.float32), 16_000)


def test_a_folder_becomes_shards_and_says_how_to_learn_from_them(run, folder):
    recordings(folder / "rec")
    (folder / "rec" / "broken.wav").write_bytes(b"RIFF")
    told = run("corpus", "shards", "rec", "--out", "shards", "--size-mb", "1")
    assert told.exit_code == 0, told.stderr
    assert "5 recordings in 2 shards" in told.stdout and "broken.wav" in told.stdout
    assert "componium train MODEL 'shards/part-{000..001}.tar' --out DIR" in told.stdout
    with tarfile.open(folder / "shards" / "part-000.tar") as made:
        assert made.getnames()[:2] == ["rec/Stück 0.wav", "rec/Stück 0.json"]
    again = run("corpus", "shards", "rec", "--out", "shards", "--size-mb", "1")
    assert again.exit_code != 0 and "--force" in again.stderr
    assert run("corpus", "shards", "rec", "--out", "shards", "--size-mb", "1", "--force").exit_code == 0


def test_what_cannot_be_put_into_shards(run, folder, midi):
    for words, reason in ((("none",), "no such file or folder"), ((str(midi),), "no recording to put into shards"),
                          ((str(midi), "--size-mb", "0"), "1 MB or more")):
        told = run("corpus", "shards", *words, "--out", "out")
        assert told.exit_code != 0 and reason in told.stderr, told.stderr
    assert not (folder / "out").exists()


def test_train_refuses_commands_and_bad_braces(run, folder):
    for word, reason in (("pipe:cat a.tar", "commands are not run"), ("part-{9..0}.tar", "runs backwards"),
                         ("s3://bucket/a.tar", "not from s3://"), ("a.tar", "no such shard")):
        told = run("train", "ddsp", word, "--out", "m")
        assert told.exit_code != 0 and reason in told.stderr, told.stderr
        assert "Traceback" not in told.stderr and not (folder / "m").exists()
    told = run("train", "markov", "a.tar", "--out", "m")
    assert told.exit_code != 0 and "Traceback" not in told.stderr
