"""Every recipe fits the model and the loop that it feeds; a wrong one says what is wrong."""

from __future__ import annotations

import pytest

from componium import registry
from componium.music.built_in import is_built_in
from componium.music.errors import BadFile, BadInput
from componium.training import recipes as module
from componium.training.recipes import RECIPES, described, find, read_recipe, recipes

FILES = sorted(RECIPES.glob("*/*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recipe_fits_what_it_feeds(path):
    recipe = find(path.stem, path.parent.name)
    assert recipe.model == path.parent.name in registry.MODELS
    assert 20 < len(recipe.about) < 200
    assert all(is_built_in(source) for source in recipe.data), "what comes with Componium names built-in data"


def test_every_folder_of_recipes_belongs_to_a_model():
    stray = [path for path in RECIPES.iterdir() if path.name != "__pycache__" and path.name not in registry.MODELS]
    assert [path.name for path in stray if any(path.iterdir())] == []


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of recipes with two of markov, and a function that writes one of one's own."""
    monkeypatch.setattr(module, "RECIPES", tmp_path / "shelf")
    (tmp_path / "shelf" / "markov").mkdir(parents=True)
    for name in ("long", "short"):
        (tmp_path / "shelf" / "markov" / f"{name}.toml").write_text(
            f'model = "markov"\nabout = "A {name} one."\ndata = "chorales"\n[config]\norder = 5\n[train]\nsteps = 7\n')

    def write(text):
        path = tmp_path / "my recipe ä.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_recipe_is_found_by_name_and_by_path(shelf):
    assert recipes("markov") == ["long", "short"] and list(described("markov"))[1] == ("short", "A short one.")
    found = find("short", "markov")
    assert (found.name, found.data, found.config, found.train) == ("short", ("chorales",), {"order": 5}, {"steps": 7})
    own = shelf('\ufeffmodel = "markov"\ndata = ["a", "b"]\n[train]\nlearning_rate = 1\nkeep = "every=5"\n')
    found = find(str(own), "markov")
    assert found.data == ("a", "b") and found.config == {} and found.name == str(own)
    assert found.train == {"learning_rate": 1.0, "keep": "every=5"} and isinstance(found.train["learning_rate"], float)


@pytest.mark.parametrize(("name", "model", "told"), [
    ("shrt", "markov", ["no recipe 'shrt'", "did you mean short?", "long, short"]),
    ("zzz", "markov", ["its recipes are: long, short"]),
    ("short", "grammar", ["short is a recipe of markov", "grammar has no recipes"]),
    ("", "markov", ["no recipe ''"]),
    ("../markov/short", "markov", ["cannot be read"]),
])
def test_a_name_that_is_none_is_refused(shelf, name, model, told):
    with pytest.raises((BadInput, BadFile)) as error:
        find(name, model)
    assert all(part in str(error.value) for part in told), str(error.value)


@pytest.mark.parametrize(("text", "told"), [
    ('model = "markov"\n[config]\nordr = 3\n', ["[config]", "'ordr'", "did you mean order?"]),
    ('model = "markov"\n[config]\norder = "many"\n', ["order=many", "a whole number"]),
    ('model = "markov"\n[config]\norder = 3.5\n', ["order=3.5", "a whole number"]),
    ('model = "markov"\n[train]\nbacth = 3\n', ["[train]", "did you mean batch?"]),
    ('model = "markov"\n[train]\nsteps = 0\n', ["steps=0", "1 or more"]),
    ('model = "markov"\n[train]\nschedule = "cosin"\n', ["did you mean cosine"]),
    ('model = "markov"\n[train]\nkeep = "often"\n', ["often"]),
    ('model = "markov"\n[train]\nheld_out = nan\n', ["held_out"]),
    ('model = "grammar"\n', ["for the model grammar, not for markov"]),
])
def test_settings_that_do_not_exist_or_cannot_be_are_refused(shelf, text, told):
    path = shelf(text)
    with pytest.raises(BadInput) as error:
        find(path, "markov")
    assert all(part in str(error.value) for part in told), str(error.value)


@pytest.mark.parametrize(("text", "told"), [
    ('model = "markov\n', ["not TOML", "line 1"]),
    ('model = "markov"\nmodel = "grammar"\n', ["not TOML"]),
    (b"model = \"m\xff\"\n", ["UTF-8"]),
    ("", ["which model"]),
    ('about = "x"\n', ["which model"]),
    ('model = 3\n', ["model has to be text"]),
    ('model = "markov"\nconfg = 3\n', ["'confg'", "did you mean config?"]),
    ('model = "markov"\nconfig = 3\n', ["a line [config]"]),
    ('model = "markov"\n[[train]]\nsteps = 3\n', ["a line [train]"]),
    ('model = "markov"\ndata = [3]\n', ["data has to be text"]),
    ('model = "markov"\ndata = ""\n', ["data has to be text"]),
    ("a = " + "[" * 5000, ["not TOML"]),
])
def test_a_file_that_is_no_recipe_is_refused(shelf, text, told):
    path = shelf(text)
    with pytest.raises(BadFile) as error:
        read_recipe(path)
    assert str(path) in str(error.value) and all(part in str(error.value) for part in told), str(error.value)


def test_a_recipe_that_is_not_there_is_refused(shelf, tmp_path):
    with pytest.raises(BadFile, match="No such file"):
        find("no/such.toml", "markov")
    with pytest.raises(BadFile, match="cannot be read"):
        find(tmp_path, "markov")
