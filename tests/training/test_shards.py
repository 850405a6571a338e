"""Recordings in shards: names with braces, damaged and missing files, a cache that stays small, the same batches for
any number of processes, and runs that go on to the bit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import http.server
import importlib
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")
pytest.importorskip("filelock")

from componium import checkpoint
from componium.music.corpus import open_corpus
from componium.music.errors import BadFile, BadInput
from componium.training import shard_batches, shard_windows
from componium.training.batches import Batches
from componium.training.learning import Asked
from componium.training.observing import Observer
from componium.training.preparing import divided, prepared_of
from componium.training.settings import TrainSettings
from componium.training.shard_batches import WindowBatches
from componium.training.shard_cache import TOLD, ShardCache, bring_job
from componium.training.shard_reading import Unreadable, Wanted, read_shard
from componium.training.shard_windows import Windows
from componium.training.shard_writing import pattern_of, write_shards
from componium.training.shards import Shards, expanded, is_shards
from componium.training.train import train

EARS = Path(__file__).with_name("ears.py")
RATE = 8000
SETTINGS = {"batch": 4, "shard_window": 2, "shard_steps": 10, "shard_cache_gb": 0.01, "save_every": 5,
            "held_out_every": 10, "precision": "float32", "held_out": 0.3}


def noise(seed, seconds=0.5):
    return (0.2 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).clip(-1, 1).astype(np.float32)


def sound(seed, seconds=0.5, format="WAV"):  # noqa: A002
    file = io.BytesIO()
    soundfile.write(file, noise(seed, seconds), RATE, format=format)
    return file.getvalue()


def tar(path, files, mode="w"):
    """Write a tar file of (name, bytes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as made:
        for name, data in files:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            made.addfile(header, io.BytesIO(data))
    return path


def shard(path, seeds, seconds=0.5, licence="CC0-1.0"):
    files = []
    for seed in seeds:
        files += [(f"take {seed}.wav", sound(seed, seconds)),
                  (f"take {seed}.json", json.dumps({"licence": licence, "source": "made for the tests"}).encode())]
    return tar(path, files)


@pytest.fixture(scope="module")
def ears():
    spec = importlib.util.spec_from_file_location("componium_test_ears", EARS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shards(tmp_path, cache):
    """Six shards of three recordings; returns their name with braces."""
    for number in range(6):
        shard(tmp_path / "s" / f"part-{number:03}.tar", range(3 * number, 3 * number + 3))
    return str(tmp_path / "s" / "part-{000..005}.tar")


@pytest.fixture
def here(monkeypatch):
    """Shards are read by this process: to start others takes seconds."""
    def run_jobs(_target, jobs, *, told, workers):
        told([0.0] * max(1, len(jobs)))
        return [bring_job(job, lambda _share: None) for job in jobs]

    monkeypatch.setattr(shard_windows, "run_jobs", run_jobs)


class Told(Observer):
    """Keeps warnings and losses."""

    def __init__(self):
        self.warnings, self.losses = [], []

    def warned(self, text):
        self.warnings.append(text)

    def stepped(self, report):
        self.losses.append(report.loss)


# names


@pytest.mark.parametrize(("pattern", "names"), [
    ("a-{00..02}.tar", ["a-00.tar", "a-01.tar", "a-02.tar"]),
    ("a-{8..11}.tar", ["a-8.tar", "a-9.tar", "a-10.tar", "a-11.tar"]),
    ("{x,y}-{0..1}.tar", ["x-0.tar", "x-1.tar", "y-0.tar", "y-1.tar"]),
    ("Tonbänder {日本,b}.tar", ["Tonbänder 日本.tar", "Tonbänder b.tar"]),
    ("plain.tar", ["plain.tar"]),
])
def test_braces(pattern, names):
    assert expanded(pattern) == names
    if importlib.util.find_spec("braceexpand"):
        assert list(importlib.import_module("braceexpand").braceexpand(pattern)) == names


@pytest.mark.parametrize(("pattern", "told"), [
    ("a-{0..2.tar", "no partner"), ("a-0..2}.tar", "no partner"), ("a-{{0..1},b}.tar", "within braces"),
    ("a-{2..0}.tar", r"runs backwards; write \{0..2\}"), ("a-{}.tar", "neither a range"),
    ("a-{x}.tar", "neither a range"),
    ("a-{0..999999999}.tar", "names more than 100,000 shards"), ("pipe:cat a.tar", "commands are not run"),
    ("https://a.org/x.tar::pipe:rm", "commands are not run"), ("s3://b/a.tar", "not from s3://"),
    ("file:///etc/a.tar", "not from file://"), ("https://a.org/a.zip", "is no shard"),
])
def test_names_that_cannot_be_read(pattern, told):
    assert is_shards(pattern)
    with pytest.raises(BadInput, match=told):
        Shards([pattern])


def test_lists_of_shards(tmp_path):
    found = Shards([str(tmp_path / "{a,b}/part.tar"), "https://x.org/d/part-{0..1}.tar?key=1",
                    str(tmp_path / "a/part.tar")])
    assert found.names == ("a/part.tar", "b/part.tar", "d/part-0.tar", "d/part-1.tar") and len(found.places) == 4
    with pytest.raises(BadFile, match="no such shard"):
        Shards([str(tmp_path / "none.tar")])
    with pytest.raises(BadInput, match="learned from alone"):
        Shards(["a.tar", "folder"])
    tar(tmp_path / "odd{1}.tar", [])
    assert Shards([str(tmp_path / "odd{1}.tar")]).names == ("odd{1}.tar",)
    assert not is_shards("folder") and not is_shards(Path("x.wav")) and is_shards(Path("x.TAR"))


# reading


def read(place, folder, **more):
    folder.mkdir()
    return read_shard(Wanted(str(place), RATE, 0.0, more.pop("most_bytes", 10**8)), folder, lambda _share: None, **more)


def test_what_is_in_a_shard(tmp_path):
    place = tar(tmp_path / "a.tar", [
        ("./sub/Flöte 日本.json", b'{"license": "CC BY 4.0", "source": "a book"}'),
        ("./sub/Flöte 日本.flac", sound(1, format="FLAC")), ("b.wav", sound(2)), ("b.json", b"[broken"),
        ("c.wav", sound(3)[:-2000]), ("d.txt", b"words"), ("silent.wav", sound(4)[:44] + bytes(8000)),
        ("../../e.ogg", sound(5, format="OGG"))])
    told = read(place, tmp_path / "out")
    rows = {each["name"]: (each["licence"], each["source"]) for each in told["recordings"]}
    assert rows == {"sub/Flöte 日本.flac": ("CC BY 4.0", "a book"), "b.wav": ("unknown", ""),
                    "../../e.ogg": ("unknown", "")}
    assert [name for name, _ in told["skipped"]] == ["c.wav", "silent.wav"] and told["other_files"] == 1
    assert "cut off" in told["skipped"][0][1]
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == sorted(each["entry"] for each in told["recordings"]) and all(len(name) == 44 for name in left)
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(place.read_bytes()))
    assert read(packed, tmp_path / "packed")["recordings"] == told["recordings"]


@pytest.mark.parametrize(("harm", "reason"), [
    (lambda data: data[:len(data) // 2], "damaged"),
    (lambda data: data[:600], "damaged"),
    (lambda data: b"", "damaged"),
    (lambda data: b"no tar" * 500, "damaged"),
    (lambda data: data[:_second(data)] + b"\xff" * 512 + data[_second(data) + 512:], "a header is damaged"),
    (lambda data: gzip.compress(data)[:-5000], "damaged"),
])
def test_a_damaged_shard_is_not_taken_at_all(tmp_path, harm, reason):
    place = shard(tmp_path / "a.tar", range(4))
    place.write_bytes(harm(place.read_bytes()))
    with pytest.raises(Unreadable, match=reason):
        read(place, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def _second(data):
    """Return where the second header of a tar file is."""
    return 512 + -(-int(data[124:135], 8) // 512) * 512


def test_a_shard_that_is_too_large(tmp_path):
    place = shard(tmp_path / "a.tar", range(4))
    with pytest.raises(Unreadable, match="make smaller shards"):
        read(place, tmp_path / "out", most_bytes=20_000)
    with pytest.raises(Unreadable, match="cannot be opened"):
        read(tmp_path / "none.tar", tmp_path / "other")


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; refuses or cuts off as often as it is told."""

    faults: ClassVar[dict[str, list[str]]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.asked.append(name)
        waiting = self.faults.get(name, [])
        fault = waiting.pop(0) if waiting else ""
        if fault == "cut":
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2])
        elif fault:
            self.send_error(int(fault))
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(folder):
    handler = functools.partial(Server, directory=str(folder))
    Server.faults, Server.asked = {}, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_addresses_are_tried_again(tmp_path):
    shard(tmp_path / "s" / "a.tar", range(2))
    with serving(tmp_path / "s") as place:
        Server.faults["a.tar"] = ["503", "cut"]
        told = read(f"{place}/a.tar", tmp_path / "one", wait_seconds=0.01)
        assert len(told["recordings"]) == 2 and Server.asked == ["a.tar"] * 3
        Server.faults["a.tar"] = ["cut"] * 3
        with pytest.raises(Unreadable, match=r"was cut off after .* bytes \(3 tries\)"):
            read(f"{place}/a.tar", tmp_path / "two", wait_seconds=0.01)
        Server.asked.clear()
        with pytest.raises(Unreadable, match="the server says 404"):
            read(f"{place}/none.tar", tmp_path / "three", wait_seconds=0.01)
        assert Server.asked == ["none.tar"]
    with pytest.raises(Unreadable, match="the connection failed"):
        read(f"{place}/a.tar", tmp_path / "four", wait_seconds=0.01)


# the cache


def brought(cache, place, name="a.tar"):
    key = f"key of {Path(place).name}"
    answer = bring_job({"root": str(cache.root), "limit_bytes": cache.limit_bytes, "key": key, "place": str(place),
                        "name": name, "sample_rate_hz": RATE, "trim_silence_db": 0.0, "model": None},
                       lambda _share: None)
    assert answer == {}
    return key


def test_the_oldest_goes_first_and_what_is_needed_stays(tmp_path, cache):
    places = [shard(tmp_path / f"{number}.tar", [2 * number, 2 * number + 1]) for number in range(6)]
    small = ShardCache(60_000)  # a shard takes about 17 kB
    keys = [brought(small, places[0])]
    small.need(keys)
    for number in range(1, 6):
        keys.append(brought(small, places[number]))
        os.utime(small.folder(keys[-1]) / TOLD, (number, number))
        assert small.used_bytes() <= small.limit_bytes
    there = [small.told(key) is not None for key in keys]
    assert there[0] and there[-1] and not there[1] and sum(there) == 3
    other = ShardCache(1)
    other.make_room()
    assert small.told(keys[0]) is not None and small.told(keys[-1]) is None
    small.close()
    other.make_room()
    assert small.told(keys[0]) is None and small.used_bytes() == 0


def test_marks_of_a_process_that_was_killed_do_not_count(tmp_path, cache):
    small = ShardCache(1_000_000)
    key = brought(small, shard(tmp_path / "a.tar", [1]))
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    small.need([key])
    mark = next((small.root / "users").glob("*.json"))
    host = mark.stem.rpartition("-")[0].rpartition("-")[0]
    mark.rename(mark.with_name(f"{host}-{child.pid}-ab.json"))
    ShardCache(1).make_room()
    assert small.told(key) is None


# windows and batches


@dataclasses.dataclass
class Part:
    """One of several processes that are none."""

    processes: int = 1
    rank: int = 0

    @contextlib.contextmanager
    def main_first(self):
        yield

    def gathered(self, value):
        return [value]


def windows_of(model, pattern, machine=None, seed=1, **settings):
    asked = Asked(TrainSettings(**{**SETTINGS, **settings}), {}, seed, 100, None, "cpu", "", {"sources": [pattern]},
                  False, False)
    return Windows(model, Shards([pattern]), asked, machine or Part(), lambda _text: None)


def batches_of(model, pattern, machine=None, **settings):
    windows = windows_of(model, pattern, machine, **settings)
    windows.begin(None, lambda *_: None)
    found = windows.found()
    prepared = prepared_of(model, list(found.corpus))
    learned, held = divided(prepared, 0.3, "hash")
    return WindowBatches(windows, learned, held.items, found), learned, held


def test_each_pass_meets_every_shard_once_in_another_order(tmp_path, cache, ears):
    windows = windows_of(ears.Ear(), str(tmp_path / "part-{0..9}.tar"), shard_window=3)
    assert windows.per_pass == 4
    passes = [[windows.shards_of(4 * turn + place) for place in range(4)] for turn in range(3)]
    for each in passes:
        assert sorted(number for window in each for number in window) == list(range(10))
        assert sorted(map(len, each)) == [2, 2, 3, 3]
    assert passes[0] != passes[1] != passes[2]
    again = windows_of(ears.Ear(), str(tmp_path / "part-{0..9}.tar"), Part(4, 3), shard_window=3)
    assert again.shards_of(7) == passes[1][3]
    other = windows_of(ears.Ear(), str(tmp_path / "part-{0..9}.tar"), seed=2, shard_window=3)
    assert other.shards_of(0) != passes[0][0]


def test_two_processes_share_the_batches_of_one(shards, ears, monkeypatch, here):
    monkeypatch.setattr(shard_batches, "_new_group", lambda: None)
    alone, learned, held = batches_of(ears.Ear(), shards)
    pair = [batches_of(ears.Ear(), shards, Part(2, rank))[0] for rank in (0, 1)]
    plain = Batches(ears.Ear(), learned.arrays, learned.names, batch=4, seed=1)
    assert np.array_equal(alone.parts(3)[0]["audio"], plain.parts(3)[0]["audio"])
    kept_out = {item.recording.hash for item in held.items}
    for number in (0, 9, 10, 11, 25, 30, 65):  # in windows 0, 1, 2, and of other passes
        whole = alone.parts(number)[0]["audio"]
        for rank in (0, 1):
            assert np.array_equal(pair[rank].parts(number)[0]["audio"], whole[rank::2]), number
        if number >= 10:
            names = alone._now[1].names
            parts = {name.partition("/")[0] for name in names}
            assert parts == {Path(alone.windows.shards.names[each]).stem
                             for each in alone.windows.shards_of(number // 10)}
    late, *_ = batches_of(ears.Ear(), shards)  # as a run that goes on does
    assert np.array_equal(late.parts(65)[0]["audio"], alone.parts(65)[0]["audio"])
    learned_later = {recording[1] for report in alone.reports for told in report["shards"].values()
                     for recording in told["recordings"]}
    assert kept_out and not kept_out & learned_later and len(learned_later) == 18 - len(kept_out)
    for each in (alone, late, *pair):
        each.close()


def test_unseen_recordings_are_in_no_window(shards, ears, here):
    windows = windows_of(ears.Ear(), shards, unseen=0.4)
    windows.begin(None, lambda *_: None)
    for window in range(3):
        windows.need(window)
        windows.bring(window, lambda *_: None)
        found = windows.found(window, {})
        left = windows.learned_in(found)
        assert all(shard_windows.place_of(item.recording.hash) >= 0.4 for item in left)
    windows.cache.close()


def test_a_window_without_anything_is_replaced_by_the_first(shards, tmp_path, ears, here):
    alone, *_ = batches_of(ears.Ear(), shards)
    for number in alone.windows.shards_of(1):
        Path(alone.windows.shards.places[number]).unlink()
    expected = Batches.parts(alone._first, 12)
    assert np.array_equal(alone.parts(12)[0]["audio"], expected[0]["audio"])
    report = alone.reports[-1]
    assert report["empty"] and len(report["missing"]) == 2
    alone.close()


def test_what_is_refused(shards, tmp_path, ears, toys, here):
    with pytest.raises(BadInput, match="learns from scores"):
        train(toys.Toy(), shards)
    with pytest.raises(BadInput, match="commands are not run"):
        train(ears.Ear(), "pipe:touch /tmp/x.tar")
    with pytest.raises(BadInput, match=r"3 windows have to fit into train.shard_cache_gb=6e-05: make that"):
        train(ears.Ear(), shards, steps=1, settings=SETTINGS | {"shard_cache_gb": 0.00006})
    with pytest.raises(BadInput, match=r"no shard of the first window can be read \(other-0.*cannot be opened"):
        train(ears.Ear(), shards.replace("part", "other"), steps=1, settings=SETTINGS)
    assert not list((ShardCache(1).root / "users").glob("*.json"))


def test_a_voice_needs_consent(tmp_path, cache, ears, here):
    place = tar(tmp_path / "s" / "a.tar", [("vocals/a.wav", sound(1)), ("b.wav", sound(2)), ("c.wav", sound(3))])
    with pytest.raises(BadInput, match="its name says 'vocals'"):
        train(ears.Ear(), str(place), steps=1, settings=SETTINGS)
    (place.parent / "consent.yml").write_text("who: Maria\nfor: tests\nuntil: unlimited\n")
    model = train(ears.Ear(), str(place), steps=1, settings=SETTINGS)
    assert model.provenance["consent_who"] == "Maria"


def test_training_from_addresses_with_missing_and_damaged_shards(tmp_path, cache, ears):
    folder = tmp_path / "s"
    for number in range(6):
        shard(folder / f"part-{number:03}.tar", range(3 * number, 3 * number + 3),
              licence="CC BY-NC 4.0" if number == 5 else "CC0-1.0")
    windows = windows_of(ears.Ear(), str(folder / "part-{000..005}.tar"), seed=3)
    gone, torn = windows.shards_of(1)[0], windows.shards_of(2)[0]
    (folder / f"part-{gone:03}.tar").unlink()
    path = folder / f"part-{torn:03}.tar"
    path.write_bytes(path.read_bytes()[:20_000])
    told = Told()
    limit = 0.0003
    with serving(folder) as place:
        model = train(ears.Ear(), f"{place}/part-{{000..005}}.tar", steps=35, seed=3, out=tmp_path / "m",
                      settings=SETTINGS | {"shard_cache_gb": limit}, observers=[told])
    words = "\n".join(told.warnings)
    assert f"the shard part-{gone:03}.tar cannot be read and is left out: the server says 404" in words
    assert f"the shard part-{torn:03}.tar cannot be read" in words and "2 of 6 shards are learned from" in words
    there = model.provenance
    assert set(there["shards_missing"]) == {f"part-{gone:03}.tar", f"part-{torn:03}.tar"}
    assert set(there["shards"]) == {f"part-{number:03}.tar" for number in range(6)} - set(there["shards_missing"])
    assert all(len(sha) == 64 for sha in there["shards"].values())
    assert there["pieces"] + there["held_out_pieces"] == 12 == len(there["hashes"]) + there["held_out_pieces"]
    assert not set(there["hashes"]) & set(there["held_out_hashes"]) and there["parts"] == there["pieces"]
    assert sum(there["licences"].values()) == there["pieces"] and set(there["sources"]) == {"made for the tests"}
    if 5 not in (gone, torn):
        assert there["licence"] == "CC BY-NC 4.0"
    assert ShardCache(1).used_bytes() <= limit * 1e9
    run = json.loads((tmp_path / "m" / "training" / "run.json").read_text())
    assert run["data"]["shards"]["count"] == 6 and run["data"]["sources"] == [f"{place}/part-{{000..005}}.tar"]


RUN = """
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("componium_test_ears", {ears!r})
ears = sys.modules["componium_test_ears"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ears)
import torch
torch.set_num_threads(1)
from componium.training.observing import Observer
from componium.training.train import train
def loss(self, batch, *, turn, step):  # of each example by itself, so that halves of a batch have the same mean
    frames = batch["audio"].reshape(len(batch["audio"]), -1, 8)
    square = ((self.network(frames[:, :-1])[..., 0] - frames[:, 1:, 0]) ** 2).mean()
    return square, {{"square": square}}
ears.Ear.loss = loss
class Killer(Observer):
    def stepped(self, report):
        if report.step == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
resume = sys.argv[4] == "resume"
train(ears.Ear(), sys.argv[1], out=sys.argv[2], steps=45, seed=5, resume=resume, observers=[Killer()],
      settings=None if resume else {settings!r})
"""


def run_once(pattern, out, kill_at, how, cache, processes=1):
    code = RUN.format(ears=str(EARS), settings=SETTINGS)
    script = out.parent / f"run-{out.name}.py"
    script.write_text(code)
    command = [sys.executable, str(script)]
    if processes > 1:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
                   str(script)]
    done = subprocess.run([*command, pattern, str(out), str(kill_at), how], capture_output=True, text=True,
                          timeout=300, check=False, env=os.environ | {"COMPONIUM_CACHE": str(cache),
                                                                      "OMP_NUM_THREADS": "1"})
    assert done.returncode == (-signal.SIGKILL if kill_at else 0), done.stderr[-3000:]


def weights(out):
    import safetensors.numpy

    [path] = (out / "steps" / "last").glob("weights*.safetensors")
    return safetensors.numpy.load_file(path)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_a_run_that_was_killed_goes_on_to_the_bit(shards, tmp_path):
    run_once(shards, tmp_path / "whole", 0, "new", tmp_path / "cache-a")
    run_once(shards, tmp_path / "parts", 28, "new", tmp_path / "cache-b")
    run_once(shards, tmp_path / "parts", 0, "resume", tmp_path / "cache-c")  # another disk: nothing is there any more
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys() and all(np.array_equal(whole[key], parts[key]) for key in whole)
    told = [checkpoint.header_of(tmp_path / name / "steps" / "last")["provenance"] for name in ("whole", "parts")]
    for key in ("shards", "licences", "pieces", "seconds", "parts"):
        assert told[0][key] == told[1][key], key
    assert sorted(told[0]["hashes"]) == sorted(told[1]["hashes"]) and told[0]["pieces"] + 2 >= 17


@pytest.mark.slow
def test_two_real_processes_train_as_one(shards, tmp_path):
    for processes in (1, 2):
        run_once(shards, tmp_path / str(processes), 0, "new", tmp_path / f"cache-{processes}", processes)
    one, two = weights(tmp_path / "1"), weights(tmp_path / "2")
    assert all(np.allclose(one[key], two[key], atol=1e-5) for key in one)


# making them


def test_shards_are_made_the_same_each_time(tmp_path):
    folder = tmp_path / "Gesang 1"
    for name, seed in (("b.wav", 1), ("a.take.1.wav", 2), ("a.take.wav", 3), ("sub/é.wav", 4)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(sound(seed))
    (folder / "LICENSE").write_text("CC BY 4.0")
    (folder / "consent.yml").write_text("who: Maria\nfor: tests\nuntil: unlimited\n")
    made = [write_shards(open_corpus(folder), tmp_path / out, size_bytes=36_000, root=folder) for out in ("x", "y")]
    assert len(made[0]) == 2 and [p.read_bytes() for p in made[0]] == [p.read_bytes() for p in made[1]]
    assert pattern_of(made[0]) == str(tmp_path / "x" / "part-{000..001}.tar")
    assert Shards([pattern_of(made[0])]).places == tuple(map(str, made[0]))
    with tarfile.open(made[0][0]) as first:
        assert first.getnames() == ["Gesang 1/a_take_1.wav", "Gesang 1/a_take_1.json", "Gesang 1/a_take.wav",
                                    "Gesang 1/a_take.json"]
    told = read(made[0][1], tmp_path / "out")
    assert {each["licence"] for each in told["recordings"]} == {"CC BY 4.0"}
    assert (tmp_path / "x" / "consent.yml").is_file()
    with pytest.raises(BadFile, match=r"is there already \(2 of 2 shards\); --force"):
        write_shards(open_corpus(folder), tmp_path / "x", size_bytes=36_000, root=folder)


def test_the_package_webdataset_reads_ours_and_we_read_its(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    folder = tmp_path / "rec"
    folder.mkdir()
    for seed in range(3):
        (folder / f"take {seed}.wav").write_bytes(sound(seed))
    [made] = write_shards(open_corpus(folder), tmp_path / "s", size_bytes=10**6, root=folder)
    samples = list(webdataset.WebDataset(str(made), shardshuffle=False))
    assert [each["__key__"] for each in samples] == [f"rec/take {seed}" for seed in range(3)]
    assert [each["wav"] for each in samples] == [sound(seed) for seed in range(3)]
    assert json.loads(samples[0]["json"])["licence"] == "unknown"
    with webdataset.TarWriter(str(tmp_path / "theirs.tar")) as writer:
        writer.write({"__key__": "a/b", "flac": sound(1, format="FLAC"), "json": {"licence": "CC0-1.0"}})
    told = read(tmp_path / "theirs.tar", tmp_path / "out")
    assert [(each["name"], each["licence"]) for each in told["recordings"]] == [("a/b.flac", "CC0-1.0")]
