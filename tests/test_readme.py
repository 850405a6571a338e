"""Nothing is claimed that is not run: the programs and commands of the README and of the pages in docs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from componium.benchmarks.material import invented
from componium.cli.main import app
from componium.music.audio import Audio
from componium.music.formats import write_score

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ONLY_READ = re.compile(r"bench|demo|doctor|chorales|tunes|essen|bach\.markov|bachbot|bach\.rnn|tuned\.rnn|quiz"
                       r"|my_recordings|RECORDINGS|my\.instrument|violin_wavs|shards/|my\.lstm|my\.duet|songs\.lstm"
                       r"|train\.json|valid\.json|e\.json|lesson check")
"""Commands that take long or need other data: their words are checked, and their own tests run them."""


def blocks(page, language):
    text = re.sub(r"^ {3}", "", page.read_text(encoding="utf-8"), flags=re.M)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def lines(page):
    """Return the command lines of a page as lists of words, comments left out."""
    return [words for block in blocks(page, "sh") for line in block.splitlines()
            if (words := shlex.split(line, comments=True))]


@pytest.fixture
def my_music(tmp_path, monkeypatch):
    """A folder with `my_midi/` in it, as the pages have it; it is the current one."""
    pytest.importorskip("pretty_midi")
    for item in invented(8, bars=6):
        write_score(item.content, tmp_path / "my_midi" / f"{item.name}.mid")
    (tmp_path / "exclude.txt").write_text("# none yet\n", encoding="utf-8")
    rules = blocks(ROOT / "docs" / "7-constraints.md", "text")[0]
    (tmp_path / "tune.txt").write_text(rules, encoding="utf-8")
    melody = invented(1, bars=6)[0].content.copy()
    melody.tracks = type(melody.tracks)([melody.tracks[0]])
    write_score(melody, tmp_path / "melody.mid")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_five_lines_make_sound(my_music):
    (program,) = blocks(ROOT / "README.md", "python")
    assert len(program.strip().splitlines()) == 5
    exec(compile(program, "README.md", "exec"), {})
    sound = Audio.read(my_music / "out.wav")
    assert sound.seconds > 8 * 4 * 60 / 200
    assert sound.peak_db > -40


@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks(page, "python")], ids=lambda page: page.name)
def test_the_programs_of_a_page_run(page, my_music):
    pytest.importorskip("music21")
    for program in blocks(page, "python"):
        exec(compile(program, page.name, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run_in_order(page, my_music, capsys):
    run = [words[1:] for words in lines(page) if words[0] == "componium" and not ONLY_READ.search(" ".join(words))]
    for words in run:
        status = typer.main.get_command(app).main(words, standalone_mode=False)
        assert status == 0, f"componium {' '.join(words)}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists(page):
    program = typer.main.get_command(app)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for words in lines(page):
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.M), words
        elif words[0] == "componium":
            parse(program, words[1:])
        else:
            assert words[:2] == ["pip", "install"], f"a command that is not tested: {words}"


def parse(group, words):
    """Read a command line without running it; the parser raises for an unknown verb or option."""
    context = typer.Context(group, info_name="componium", resilient_parsing=True)
    command = group.get_command(context, words[0])
    assert command is not None, f"there is no command {words[0]}"
    if hasattr(command, "list_commands"):
        parse(command, words[1:])
    else:
        command.make_context(words[0], words[1:], parent=context)


def test_an_option_that_does_not_exist_would_be_noticed():
    with pytest.raises(Exception, match="loudness"):
        parse(typer.main.get_command(app), ["perform", "a.mid", "--loudness", "3"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_readme_names_every_model_and_no_other():
    from componium.registry import models

    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Models")[1].split("## ")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", section, re.M) == models()


def test_the_readme_names_every_extra():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Install")[1].split("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == set(extras) - {"dev"}
