from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

import componium as cp
from componium import checkpoint, registry
from componium.music.errors import BadInput, ComponiumError
from componium.registry import Resolved, read_value, resolve

OWN = '''
from __future__ import annotations
import dataclasses
from componium.interface import setting

@dataclasses.dataclass(frozen=True)
class EchoConfig:
    times: int = setting(2, "how often")

class Echo:
    """Says it again."""
    name = "echo"
    Config = EchoConfig
    needs_training = False
    deterministic = True
    def __init__(self, config=None):
        self.config = config or EchoConfig()
'''


@pytest.mark.parametrize("name", registry.MODELS)
def test_every_line_of_the_table_resolves(name: str) -> None:
    cls = registry.model_class(name)
    assert cls.name == name and registry.TITLES[name]
    assert cls.needs_training is (name in registry.NEEDS_TRAINING)


def test_the_tables_agree() -> None:
    assert list(registry.TITLES) == list(registry.MODELS) == registry.models()
    assert set(registry.MODELS) >= registry.NEEDS_TRAINING
    assert len(set(registry.MODELS.values())) == len(registry.MODELS)
    assert all(name == name.lower() and name.replace("-", "_").isidentifier() for name in registry.MODELS)


def test_every_shipped_checkpoint_loads() -> None:
    for name in registry.shipped():
        assert cp.load(f"shipped:{name}").name in registry.MODELS


# create


def test_create_reads_settings_as_on_the_command_line() -> None:
    model = cp.create("grammar", tempo_bpm="88", iterations="2", key="G minor")
    assert (model.config.tempo_bpm, model.config.iterations, model.config.key) == (88.0, 2, "G minor")
    assert cp.create("grammar", iterations="none").config.iterations is None


@pytest.mark.parametrize(("name", "told"), [("grammarr", "did you mean grammar"), ("markow", "did you mean markov"),
                                            ("zzz", "the models are: markov"), ("", "the models are")])
def test_unknown_model_names_the_near_ones(name: str, told: str) -> None:
    for get in (cp.create, registry.model_class):
        with pytest.raises(BadInput, match=told):
            get(name)


def test_unknown_setting_names_the_near_ones() -> None:
    with pytest.raises(BadInput, match=r"grammar has no setting 'tempo' \(did you mean tempo_bpm"):
        cp.create("grammar", tempo=100)


@pytest.mark.parametrize(("setting", "wrong", "told"), [
    ("tempo_bpm", "fast", "tempo_bpm=fast: tempo_bpm has to be a number"),
    ("numerator", 3.5, "a whole number"), ("numerator", True, "a whole number"), ("numerator", "3.5", "whole"),
    ("key", 3, "text"), ("iterations", "many", "whole"), ("tempo_bpm", None, "a number"),
    ("tempo_bpm", [1], "a number"),
])
def test_value_of_another_type_is_named(setting: str, wrong: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        cp.create("grammar", **{setting: wrong})


@pytest.mark.parametrize(("value", "kind", "expected"), [
    ("3", int, 3), ("-3", int, -3), ("3", float, 3.0), (3, float, 3.0), ("1e-3", float, 0.001), ("x", str, "x"),
    ("yes", bool, True), ("OFF", bool, False), ("0", bool, False), (True, bool, True),
    ("none", int | None, None), ("4", int | None, 4), (None, str | None, None),
    ("1,2,3", tuple[int, ...], (1, 2, 3)), ("", tuple[int, ...], ()), ([1, 2], tuple[int, ...], (1, 2)),
    ("a,b", tuple[str, ...], ("a", "b")), ("2.5", int | float, 2.5), ("2", int | float, 2),
])
def test_values_are_read(value: Any, kind: Any, expected: Any) -> None:
    found = read_value(value, kind, "key")
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(("value", "kind"), [
    ("maybe", bool), (2, bool), ("1,x", tuple[int, ...]), ("x", int | None), ("", int), (1, str), ("nan%", float),
    (5, tuple[int, ...]),
])
def test_wrong_values_are_refused(value: Any, kind: Any) -> None:
    with pytest.raises(BadInput, match="key"):
        read_value(value, kind, "key")


# the user's own model


def test_own_model_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mein Werk.py"
    path.write_text(OWN)
    model = cp.create(f"{path}:Echo", times="3")
    assert model.config.times == 3
    assert cp.describe(model).settings[0].help == "how often"
    assert cp.load(f"{path}:Echo").config.times == 2


@pytest.mark.parametrize(("text", "told"), [
    (OWN + "\nraise ValueError('oh')", r"cannot be imported \(ValueError: oh"), ("def (", "SyntaxError"),
    ("import no_such_package", "no_such_package"), (OWN.replace("Echo:", "Ecco:"), "holds no class Echo"),
    (OWN.replace("class Echo:", "class Ekho:"), "did you mean Ekho"),
])
def test_own_model_that_is_broken_is_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(BadInput, match=told):
        cp.create(f"{tmp_path / 'own.py'}:Echo")


def test_own_model_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such Python file"):
        cp.create(f"{tmp_path / 'none.py'}:Echo")


# MODEL


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and a folder of shipped checkpoints that holds `tune` and `grammar`."""
    for name in ("tune", "grammar"):
        checkpoint.save(cp.create("grammar", example="blues"), tmp_path / "shipped" / name)
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(registry, "PRETRAINED", tmp_path / "shipped")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def run(place: Path) -> Path:
    """A folder in the working folder with a model, steps 4 and 2000 and the last of its training."""
    for name in ("", "steps/4", "steps/2000", "steps/last"):
        checkpoint.update(cp.create("grammar", example="blues"), place / "Läufe" / name)
    (place / "Läufe" / "steps" / ".17.x.partial").mkdir()
    return place / "Läufe"


@pytest.mark.parametrize(("text", "folder"), [
    ("Läufe@2000", "steps/2000"), ("Läufe@4", "steps/4"), ("Läufe@002000", "steps/2000"), ("Läufe@last", "steps/last"),
    ("Läufe@best", ""), ("./Läufe@4", "steps/4"), ("Läufe", ""),
])
def test_steps_of_a_training_are_models(run: Path, text: str, folder: str) -> None:
    found = resolve(text)
    assert found.kind == "folder" and Path(found.target).resolve() == (run / folder).resolve()
    assert cp.load(text).name == "grammar"
    assert registry.steps_of(run) == [4, 2000]


@pytest.mark.parametrize("step", ["3", "first", "", "../steps/4", "-4", "²", "4/"])
def test_step_that_was_not_kept_lists_those_that_were(run: Path, step: str) -> None:
    with pytest.raises(BadInput, match=r"Läufe has no step .*; the steps that were kept are: 4, 2000, last"):
        resolve(f"Läufe@{step}")


def test_step_where_none_or_all_are_meant(run: Path, place: Path) -> None:
    with pytest.raises(BadInput, match=r"one model is needed here; .* 4, 2000, last"):
        resolve("Läufe@all")
    (place / "music").mkdir()
    with pytest.raises(BadInput, match=r"no steps were kept \(train with --keep log\)"):
        resolve("music@3")
    with pytest.raises(BadInput, match="no model and no folder"):
        resolve("grammar@3")


def test_folder_with_an_at_sign_is_itself(run: Path, place: Path) -> None:
    checkpoint.save(cp.create("grammar"), place / "Läufe@4")
    assert resolve("Läufe@4").target == "Läufe@4"


def test_order_of_what_a_name_stands_for(place: Path) -> None:
    assert resolve("soundfont") == Resolved("registry", "soundfont")
    assert resolve("tune") == Resolved("shipped", str(registry.PRETRAINED / "tune"))
    both = resolve("grammar")
    assert both.kind == "shipped" and "also a model of the registry" in both.note
    checkpoint.save(cp.create("grammar"), place / "tune")
    nearer = resolve("tune")
    assert nearer.kind == "folder" and "the folder tune was taken" in nearer.note
    assert resolve("shipped:tune").kind == "shipped"
    assert resolve("hf:who/chain") == Resolved("hub", "who/chain")


def test_path_is_a_path(place: Path) -> None:
    checkpoint.save(cp.create("grammar"), place / "Töne" / "m")
    for name in ("Töne/m", "./Töne/m", Path("Töne/m"), place / "Töne" / "m"):
        found = resolve(name)
        assert (found.kind, found.note) == ("folder", "")
        assert cp.load(name).name == "grammar"


def test_home_is_expanded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("USERPROFILE", str(place))
    checkpoint.save(cp.create("grammar"), place / "m")
    assert cp.load("~/m").name == "grammar"


def test_folder_of_music_is_no_model(place: Path) -> None:
    (place / "grammar").mkdir()
    assert resolve("grammar").kind == "shipped", "a folder without model.json is not meant"


@pytest.mark.parametrize(("name", "told"), [
    ("./none", "no such folder"), ("none/m", "no such folder"), ("shipped:tun", "did you mean tune"),
    ("tunes", "did you mean tune"), ("markov", "trained first: componium train markov"), ("", "no model"),
    ("C:\\models\\m", "no such folder"),
])
def test_what_stands_for_nothing_is_a_sentence(place: Path, name: str, told: str) -> None:
    with pytest.raises(ComponiumError, match=told) as error:
        cp.load(name)
    assert "\n" not in str(error.value)


def test_load_takes_settings_only_for_models_that_need_no_training(place: Path) -> None:
    assert cp.load("soundfont", sample_rate_hz="22050").config.sample_rate_hz == 22050
    checkpoint.save(cp.create("grammar"), place / "m")
    with pytest.raises(BadInput, match=r"key.* cannot be changed"):
        cp.load("./m", key="D")


def test_load_of_a_folder_that_is_no_checkpoint(place: Path) -> None:
    (place / "music").mkdir()
    with pytest.raises(ComponiumError, match="not a Componium model"):
        cp.load("./music")


# the public words


def test_public_words_exist() -> None:
    for word in cp.__all__:
        assert getattr(cp, word) is not None
    with pytest.raises(AttributeError, match="no_such_word"):
        cp.no_such_word  # noqa: B018


def test_public_words_are_not_hidden_by_modules_of_the_same_name() -> None:
    for word, module in cp._WORDS.items():
        importlib.import_module(module)
        assert not isinstance(getattr(cp, word), type(cp)), f"cp.{word} is a module"


def test_a_home_that_is_not_known_is_a_sentence() -> None:
    with pytest.raises(BadInput, match=r"nobody-here/my\.markov: no such folder"):
        registry.load("~nobody-here/my.markov")
