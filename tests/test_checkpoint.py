from __future__ import annotations

import dataclasses
import http.server
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import componium as cp
from componium import checkpoint, registry
from componium.interface import setting
from componium.music.errors import BadFile, BadInput


@dataclasses.dataclass(frozen=True)
class TableConfig:
    size: int = setting(3, "rows of the table")
    names: tuple[str, ...] = setting(("a", "b"), "names of the rows")


class Table:
    """A table of numbers."""

    name: ClassVar[str] = "table"
    Config: ClassVar[type] = TableConfig
    needs_training: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True

    def __init__(self, config: TableConfig | None = None) -> None:
        self.config = config or TableConfig()
        self.provenance: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.arrays, {"rows": self.config.size}

    def load_state(self, arrays: Any, json: Any) -> None:
        if json["rows"] != self.config.size:
            raise BadInput(f"{json['rows']} rows do not fit {self.config.size}")
        self.arrays = dict(arrays)


@pytest.fixture(autouse=True)
def in_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "table_of_the_tests", sys.modules[__name__])
    monkeypatch.setitem(registry.MODELS, "table", "table_of_the_tests:Table")


def model(**arrays: Any) -> Table:
    made = Table(TableConfig(size=4, names=("ä", "b", "c", "d")))
    made.arrays = arrays or {"weights": np.arange(12, dtype=np.float32).reshape(3, 4)}
    made.provenance = {"data": "Choräle", "pieces": 3, "hashes": ["x"]}
    made.figures = {"nats_per_token": 0.5}
    return made


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return checkpoint.save(model(), tmp_path / "m")


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def edit(folder: Path, **changes: Any) -> None:
    header = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(json.dumps(header | changes), encoding="utf-8")


# whole and faithful


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "uint32", "bool"])
def test_arrays_come_back_exactly(tmp_path: Path, dtype: str) -> None:
    array = (np.arange(24).reshape(2, 3, 4) % 5).astype(dtype)
    loaded = checkpoint.load(checkpoint.save(model(a=array, b=array[:, ::2].T, empty=array[:0]), tmp_path / "m"))
    for key, expected in {"a": array, "b": array[:, ::2].T, "empty": array[:0]}.items():
        assert loaded.arrays[key].dtype == expected.dtype and np.array_equal(loaded.arrays[key], expected)
    assert json.loads((tmp_path / "m/model.json").read_text())["weights"]["dtypes"]["a"] == dtype


def test_everything_else_comes_back(saved: Path) -> None:
    loaded, original = checkpoint.load(saved), model()
    assert loaded.config == original.config and isinstance(loaded.config.names, tuple)
    assert loaded.provenance == original.provenance and loaded.figures == original.figures


def test_the_header_can_be_read_and_long_lists_take_little_more_than_themselves(tmp_path: Path) -> None:
    made = model()
    made.provenance = {"data": "Choräle", "hashes": [f"{number:064x}" for number in range(500)],
                       "fingerprints": [[f"{number:012x}" for number in range(30)]] * 500}
    text = (checkpoint.save(made, tmp_path / "m") / "model.json").read_text(encoding="utf-8")
    assert text.splitlines()[:4] == ["{", ' "format": "componium-checkpoint",', ' "format_version": 1,',
                                     ' "name": "table",'] and '"data": "Choräle"' in text
    assert len(text) < 500 * 67 + 500 * (30 * 15 + 5) + 2000
    assert checkpoint.load(tmp_path / "m").provenance == made.provenance


def test_model_without_arrays_has_no_weights(tmp_path: Path) -> None:
    folder = checkpoint.save(cp.create("grammar", example="blues"), tmp_path / "g")
    assert tree(folder) == {"model.json", "README.md"}
    assert cp.load(folder).config.example == "blues"


def test_card_names_settings_data_and_figures(saved: Path) -> None:
    text = (saved / "README.md").read_text(encoding="utf-8")
    for word in ("# table", "rows of the table", "Choräle", "nats per token: 0.5"):
        assert word in text


@pytest.mark.parametrize("name", ["Überlieferung", "模型", "with space", "a.b.c", "x" * 200, "-m", "model.json"])
def test_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = checkpoint.save(model(), tmp_path / "für Töne" / name)
    assert checkpoint.load(folder).arrays and checkpoint.is_checkpoint(folder)
    assert cp.load(folder).arrays


def test_only_data_is_in_the_folder(saved: Path) -> None:
    assert tree(saved) == {"model.json", "weights.safetensors", "README.md"}
    assert saved.stat().st_mode & 0o777 == 0o755


def test_digest_is_the_identity(saved: Path, tmp_path: Path) -> None:
    again = checkpoint.save(model(), tmp_path / "again")
    other = checkpoint.save(model(weights=np.ones((3, 4), np.float32)), tmp_path / "other")
    assert checkpoint.digest(saved) == checkpoint.digest(again) != checkpoint.digest(other)


# atomic


@pytest.mark.parametrize("broken", ["card", "_sha256", "_swap"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_stopped_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str,
                                     error: BaseException) -> None:
    def stop(*_: Any) -> None:
        raise error

    monkeypatch.setattr(checkpoint, broken, stop)
    with pytest.raises((BadFile, KeyboardInterrupt)):
        checkpoint.save(model(), tmp_path / "m")
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("broken", ["card", "_sha256", "_swap"])
def test_stopped_replacement_leaves_the_old_one(saved: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def stop(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    before = checkpoint.digest(saved)
    monkeypatch.setattr(checkpoint, broken, stop)
    with pytest.raises(BadFile, match="No space left"):
        checkpoint.save(model(weights=np.ones(3)), saved, force=True)
    monkeypatch.undo()
    assert checkpoint.digest(saved) == before
    assert tree(saved.parent) == {"m", "m/model.json", "m/weights.safetensors", "m/README.md"}


def test_failed_rename_puts_the_old_one_back(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, rename = checkpoint.digest(saved), Path.rename

    def fail_for_the_new(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(BadFile, match="Input/output"):
        checkpoint.save(model(weights=np.ones(3)), saved, force=True)
    assert checkpoint.digest(saved) == before
    assert len(tree(saved.parent)) == 4


def test_killed_while_writing_leaves_no_checkpoint(tmp_path: Path) -> None:
    code = f"""
        import os
        import componium as cp
        from componium import checkpoint
        checkpoint.card = lambda model: os._exit(9)
        checkpoint.save(cp.create("grammar"), {str(tmp_path / "m")!r})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=60,
                          env=os.environ | {"PYTHONPATH": str(Path(cp.__file__).parents[1])})
    assert done.returncode == 9
    assert not (tmp_path / "m").exists()
    checkpoint.save(cp.create("grammar"), tmp_path / "m")  # what was left behind is in nobody's way


# what is there already


def test_checkpoint_is_replaced_only_with_force(saved: Path) -> None:
    with pytest.raises(BadFile, match="--force"):
        checkpoint.save(model(), saved)
    checkpoint.save(model(weights=np.zeros(2)), saved, force=True)
    assert checkpoint.load(saved).arrays["weights"].shape == (2,)
    assert len(tree(saved.parent)) == 4


@pytest.mark.parametrize("force", [False, True])
def test_anything_else_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music/opus1.mid").write_bytes(b"precious")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/model.json").write_text('{"format": "other"}')
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = tree(tmp_path)
    for name in ("music", "file", "foreign", "dangling"):
        with pytest.raises(BadFile, match="never replaced"):
            checkpoint.save(model(), tmp_path / name, force=force)
    assert tree(tmp_path) == before
    assert (tmp_path / "music/opus1.mid").read_bytes() == b"precious"


def test_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    assert checkpoint.load(checkpoint.save(model(), tmp_path / "m")).arrays


def test_damaged_checkpoint_can_be_replaced(saved: Path) -> None:
    (saved / "weights.safetensors").unlink()
    assert checkpoint.load(checkpoint.save(model(), saved, force=True)).arrays


def test_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    real = Path.write_bytes

    def write_bytes(path: Path, data: bytes) -> int:
        return real(full, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_bytes)
        with pytest.raises(BadFile, match="No space left"):
            checkpoint.save(model(a=np.zeros(100_000)), tmp_path / "m")
    assert tree(tmp_path) == set()


def test_weights_can_be_read_by_others(saved: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in saved.iterdir()} == {0o644}


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadFile, match="cannot be written"):
        checkpoint.save(model(), tmp_path / "file" / "m")
    assert (tmp_path / "file").read_text() == "x"


# replaced in place


def test_update_makes_and_replaces_a_model_and_leaves_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "Läufe" / "c"
    for value in (1, 2, 2):
        checkpoint.update(model(w=np.full((3, 4), value, np.float32)), folder)
        (folder / "log.jsonl").write_text("{}")
        assert checkpoint.load(folder).arrays["w"][0, 0] == value
        name = json.loads((folder / "model.json").read_text())["weights"]["file"]
        assert tree(folder) == {"model.json", "README.md", "log.jsonl", name}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_update_replaces_a_saved_model_and_is_the_same_model(saved: Path, tmp_path: Path) -> None:
    before = checkpoint.digest(saved)
    checkpoint.update(model(), saved)
    assert checkpoint.digest(saved) == before and not (saved / "weights.safetensors").exists()
    checkpoint.update(cp.create("grammar"), saved)
    assert tree(saved) == {"model.json", "README.md"} and checkpoint.load(saved).name == "grammar"


def test_update_never_replaces_a_foreign_model(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"format": "other"}')
    with pytest.raises(BadFile, match="never replaced"):
        checkpoint.update(model(), tmp_path)
    assert tree(tmp_path) == {"model.json"}


@pytest.mark.parametrize("moment", [0, 1, 2])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_stopped_update_leaves_a_whole_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int,
                                             error: BaseException) -> None:
    folder = checkpoint.update(model(w=np.ones(3)), tmp_path / "c")
    replace, count = Path.replace, [0]

    def stop_at(self: Path, target: Path) -> Path:
        count[0] += 1
        if count[0] == moment + 1:
            raise error
        return replace(self, target)

    with monkeypatch.context() as patch, pytest.raises((BadFile, KeyboardInterrupt)):
        patch.setattr(Path, "replace", stop_at)
        checkpoint.update(model(w=np.zeros(3)), folder)
    assert checkpoint.load(folder).arrays["w"][0] == (0 if moment == 2 else 1)
    assert not list(folder.glob(".*"))
    checkpoint.update(model(w=np.full(3, 5.0)), folder)
    assert checkpoint.load(folder).arrays["w"][0] == 5 and len(list(folder.glob("weights*"))) == 1


def test_model_is_whole_for_who_reads_while_it_is_replaced(tmp_path: Path) -> None:
    folder = checkpoint.update(model(w=np.zeros(5000)), tmp_path / "c")
    stop, problems = threading.Event(), []

    def replace() -> None:
        value = 0
        while not stop.is_set():
            value += 1
            try:
                checkpoint.update(model(w=np.full(5000, float(value))), folder)
            except BadFile as error:
                problems.append(error)

    writer = threading.Thread(target=replace)
    writer.start()
    seen: set[float] = set()
    until = time.monotonic() + 60
    try:
        while len(seen) < 10 and time.monotonic() < until:
            found = checkpoint.load(folder).arrays["w"]
            assert (found == found[0]).all()
            seen.add(float(found[0]))
    finally:
        stop.set()
        writer.join()
    assert not problems and len(seen) == 10


@pytest.mark.parametrize("name", ["../weights.safetensors", "weights-1.safetensors", "/etc/passwd", "x.safetensors", 3])
def test_weights_file_of_another_name_is_refused(saved: Path, name: Any) -> None:
    header = json.loads((saved / "model.json").read_text())
    edit(saved, weights=header["weights"] | {"file": name})
    with pytest.raises(BadFile, match="damaged"):
        checkpoint.load(saved)


def test_model_of_ones_own_is_loaded_with_its_class(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry.MODELS, "table")
    with pytest.raises(BadFile, match="does not have"):
        checkpoint.load(saved)
    assert checkpoint.load(saved, Table).arrays
    with pytest.raises(BadFile, match="holds a model called 'table', not 'grammar'"):
        checkpoint.load(saved, registry.model_class("grammar"))


def test_training_run_is_not_replaced_by_a_model(saved: Path) -> None:
    (saved / "training").mkdir()
    (saved / "training" / "run.json").write_text("{}")
    with pytest.raises(BadFile, match=r"training run .* only another training replaces"):
        checkpoint.save(model(), saved, force=True)
    (saved / "model.json").unlink()
    with pytest.raises(BadFile, match="kept no model yet; let it go on with --resume"):
        checkpoint.load(saved)


# what is refused


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "missing", "folder"])
def test_damaged_file_is_named(saved: Path, name: str, damage: str) -> None:
    path = saved / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        data[len(data) // 2] ^= 0xFF
        path.write_bytes({"empty": b"", "half": bytes(data[: len(data) // 2]), "flipped": bytes(data)}[damage])
    with pytest.raises(BadFile) as error:
        checkpoint.load(saved)
    assert str(saved) in str(error.value) and "\n" not in str(error.value)


def test_every_flipped_byte_of_the_weights_is_noticed(saved: Path) -> None:
    path = saved / "weights.safetensors"
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1:])
        with pytest.raises(BadFile, match="damaged"):
            checkpoint.load(saved)


@pytest.mark.parametrize(("changes", "told"), [
    ({"format": "other"}, "another program"),
    ({"format_version": 99}, "newer Componium.*pip install -U"),
    ({"format_version": "2"}, "newer"),
    ({"name": "wavenet-9000"}, "wavenet-9000"),
    ({"name": ["table"]}, "name"),
    ({"name": None}, "name"),
    ({"config": {"size": "many"}}, "does not fit"),
    ({"config": {"no_such": 1}}, "no_such"),
    ({"config": [1]}, "config"),
    ({"config": {"size": 5}}, "4 rows do not fit 5"),
    ({"state": {}}, "does not fit"),
    ({"state": None}, "state"),
    ({"provenance": [1]}, "provenance"),
    ({"weights": 3}, "damaged"),
    ({"weights": {"sha256": "00"}}, "damaged"),
])
def test_wrong_header_is_refused_with_a_sentence(saved: Path, changes: dict[str, Any], told: str) -> None:
    edit(saved, **changes)
    with pytest.raises(BadFile, match=told) as error:
        checkpoint.load(saved)
    assert str(saved) in str(error.value)


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "null", "[" * 100_000, "{" * 3, "\x00", "{}"])
def test_header_of_another_kind(saved: Path, text: str) -> None:
    (saved / "model.json").write_text(text)
    with pytest.raises(BadFile):
        checkpoint.load(saved)
    assert not checkpoint.is_checkpoint(saved)


def test_safetensors_that_lie_are_refused(saved: Path) -> None:
    header = json.dumps({"weights": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}).encode()
    (saved / "weights.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    edit(saved, weights={"sha256": checkpoint._sha256(saved / "weights.safetensors")})
    with pytest.raises(BadFile, match="damaged"):
        checkpoint.load(saved)


@pytest.mark.parametrize("place", ["missing", "empty", "music"])
def test_foreign_folder_is_refused(tmp_path: Path, place: str) -> None:
    if place != "missing":
        (tmp_path / place).mkdir()
    if place == "music":
        (tmp_path / place / "opus1.mid").write_bytes(b"MThd")
    with pytest.raises(BadFile, match="not a Componium model"):
        checkpoint.load(tmp_path / place)


def test_pickle_beside_the_model_is_never_opened(saved: Path) -> None:
    (saved / "weights.pkl").write_bytes(b"cos\nsystem\n(S'exit 3'\ntR.")
    assert checkpoint.load(saved).arrays


# the hub


class Hub(http.server.BaseHTTPRequestHandler):
    """A stand-in for the hub: one repository, its files, and a record of what was asked for."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []
    commit = "0123456789abcdef0123456789abcdef01234567"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.asked.append(path)
        if path.startswith("/api/models/who/chain/tree/"):
            listing = [{"type": "file", "path": name, "size": len(data), "oid": f"{abs(hash(name)):040x}"}
                       for name, data in self.files.items()]
            self.answer(json.dumps(listing).encode(), "application/json")
        elif path.startswith("/api/models/who/chain"):
            told = {"id": "who/chain", "modelId": "who/chain", "sha": self.commit, "private": False, "tags": [],
                    "downloads": 0, "likes": 0, "siblings": [{"rfilename": name} for name in self.files]}
            self.answer(json.dumps(told).encode(), "application/json")
        elif path.startswith("/who/chain/resolve/") and path.rpartition("/")[2] in self.files:
            self.answer(self.files[path.rpartition("/")[2]], "application/octet-stream")
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def answer(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{abs(hash(data)):040x}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    folder = checkpoint.save(cp.create("grammar", example="blues", key="Eb"), tmp_path / "upload")
    Hub.files = {path.name: path.read_bytes() for path in folder.iterdir()}
    Hub.files |= {"training/run.json": b"{}", "steps/last/model.json": Hub.files["model.json"]}
    Hub.files["evil.bin"] = b"cos\nsystem\n(S'exit 3'\ntR."
    Hub.files["code.py"] = b"raise SystemExit(3)"
    Hub.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run_with_hub(endpoint: str, home: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own: the hub's client reads its settings when it is imported."""
    plain = {key: value for key, value in os.environ.items()
             if not key.lower().endswith("_proxy") and not key.startswith("HF_")}
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": str(Path(cp.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False,
                          timeout=90, env=plain | settings)


def test_hub_model_loads_and_only_data_is_fetched(hub: str, tmp_path: Path) -> None:
    done = run_with_hub(hub, tmp_path / "home", """
        import componium as cp
        model = cp.load("hf:who/chain")
        print(model.config.example, model.config.key)
    """)
    assert done.stdout.split() == ["blues", "Eb"], done.stderr
    fetched = {path.rpartition("/")[2] for path in Hub.asked if "/resolve/" in path}
    assert fetched == {"model.json", "README.md"}
    assert not list((tmp_path / "home").rglob("*evil*"))


SENTENCE = """
    import componium as cp
    from componium.music.errors import BadInput
    try:
        cp.load({name!r})
    except BadInput as error:
        print(error)
"""


@pytest.mark.parametrize(("name", "endpoint"), [("hf:who/nothing", None), ("hf:who/chain", "http://127.0.0.1:9")])
def test_hub_without_the_model_or_out_of_reach_is_one_sentence(hub: str, tmp_path: Path, name: str,
                                                               endpoint: str | None) -> None:
    start = time.perf_counter()
    done = run_with_hub(endpoint or hub, tmp_path / "home", SENTENCE.format(name=name))
    assert time.perf_counter() - start < 20
    assert done.stdout.startswith(f"{name}: could not be fetched (") and done.stdout.count("\n") == 1, done
    assert len(done.stdout) < 300


@pytest.mark.parametrize("name", ["hf:", "hf:alone", "hf:a/b/c", "hf:../x", "hf:a b/c", "hf:-/-@"])
def test_wrong_hub_name_is_refused_without_asking(name: str) -> None:
    with pytest.raises(BadInput, match=r"hub|fetched"):
        cp.load(name)


def test_a_single_number_stays_one(tmp_path: Path) -> None:
    folder = checkpoint.save(model(count=np.array(3), table=np.arange(6).reshape(2, 3).T), tmp_path / "m")
    arrays = checkpoint.load(folder).arrays
    assert arrays["count"].shape == () and arrays["table"].tolist() == [[0, 3], [1, 4], [2, 5]]
