"""`componium train` for models that learn by gradient, from the command line to the ladder."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from componium import registry
from componium.music.errors import BadInput, Cancelled, MissingExtra
from componium.music.formats import read_score, write_score
from componium.music.origin import read_origin
from componium.music.score import bars

pytest.importorskip("accelerate", reason="needs the extra neural")

TINY = Path(__file__).with_name("tiny_model.py")
FAST = ("train.precision=float32", "train.batch=4")


@pytest.fixture
def tiny(monkeypatch):
    """The model `tiny` in the registry, as its class."""
    spec = importlib.util.spec_from_file_location("componium_tiny_model", TINY)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(registry.MODELS, "tiny", f"{spec.name}:Tiny")
    monkeypatch.setitem(registry.TITLES, "tiny", "the next pitch")
    monkeypatch.setattr(registry, "NEEDS_TRAINING", registry.NEEDS_TRAINING | {"tiny"})
    return module.Tiny


@pytest.fixture
def no_previews(monkeypatch):
    """Trainings without previews, which take longer than they."""
    monkeypatch.setattr("componium.cli.training.previews.Previews.preview", lambda *_: None)


@pytest.fixture
def learn(run, midi, tiny, no_previews):
    """Return a function that trains `tiny` on five pieces."""
    return lambda *words: run("train", "tiny", "midi", *FAST, *words)


def run_of(folder):
    return json.loads((folder / "training" / "run.json").read_text(encoding="utf-8"))


# beginning

def test_a_training_says_what_it_will_do_and_what_it_did(learn, run, folder):
    result = learn("width=4", "--steps", 6, "--out", "my.tiny")
    assert result.exit_code == 0, result.stderr
    for part in ("learns from 2 pieces of midi, 3 pieces held out", "skipped 1", "1,152 parameters, new weights",
                 "6 steps of 4 examples", "estimate: ", "ms a step", "of disk", "on cpu, in float32",
                 "finished 6 steps", "lowest held-out loss", "saved in my.tiny", "--resume --steps 12"):
        assert part in result.stdout, part
    assert run_of(folder / "my.tiny")["config"]["width"] == 4
    command = result.stdout.rpartition("next: componium ")[2].splitlines()[0]
    assert run(*shlex.split(command)).exit_code == 0
    assert (folder / "my.mid").exists()


def test_defaults_count_least_then_the_recipe_then_the_command_line(run, folder, midi, tiny, no_previews):
    Path("own.toml").write_text('model = "tiny"\ndata = "midi"\n[config]\nwidth = 3\ncontext = 5\n'
                                '[train]\nsteps = 4\nbatch = 3\nprecision = "float32"\nema = 0.5\n', encoding="utf-8")
    result = run("train", "tiny", "--recipe", "own.toml", "context=7", "train.batch=2", "--out", "m")
    assert result.exit_code == 0, result.stderr
    told = run_of(folder / "m")
    assert told["config"] == {"width": 3, "context": 7} and told["steps"] == 4
    assert told["train"]["batch"] == 2 and told["train"]["ema"] == 0.5 and told["train"]["accumulate"] == 1
    assert told["recipe"] == "own.toml"


def test_a_budget_becomes_a_number_of_steps(learn, folder):
    result = learn("--budget", "2s", "--out", "m")
    assert result.exit_code == 0, result.stderr
    assert "reckoned from 2 s" in result.stdout
    assert run_of(folder / "m")["steps"] >= 1 and run_of(folder / "m")["budget_seconds"] == 2.0


@pytest.mark.parametrize(("words", "told"), [
    ([], ["where should the model be kept?", "--out my.tiny"]),
    (["--out", "m", "wdth=3"], ["no setting 'wdth'", "did you mean width?"]),
    (["--out", "m", "bacth=3"], ["neither", "did you mean batch?", "train.KEY=VALUE"]),
    (["--out", "m", "learning_rate=3"], ["write train.learning_rate=3"]),
    (["--out", "m", "train.width=3"], ["write width=3"]),
    (["--out", "m", "train.lerning_rate=3"], ["did you mean learning_rate"]),
    (["--out", "m", "trian.steps=3"], ["train.KEY=VALUE", "did you mean train?"]),
    (["--out", "m", "train.steps=3", "train.steps=4"], ["train.steps is given twice"]),
    (["--out", "m", "--steps", "3", "train.steps=4"], ["steps is given twice"]),
    (["--out", "m", "steps=3"], ["write --steps 3"]),
    (["--out", "m", "recipe=x"], ["write --recipe"]),
    (["--out", "m", "train.save_every=0"], ["train.save_every=0", "1 or more"]),
    (["--out", "m", "train.ema=x"], ["ema=x", "a number"]),
    (["--out", "m", "train.learning_rate=nan"], ["above 0"]),
    (["--out", "m", "train.schedule=cos"], ["cosine"]),
    (["--out", "m", "--keep", "often"], ["every=500"]),
    (["--out", "m", "--budget", "0"], ["budget=0", "2m"]),
    (["--out", "m", "--budget", "5s", "--steps", "3"], ["one of --budget and --steps"]),
    (["--out", "m", "--recipe", "nosuch"], ["tiny has no recipes", "./nosuch.toml"]),
    (["--out", "m", "--recipe", "./nosuch.toml"], ["nosuch.toml", "No such file"]),
    (["--out", "m", "--device", "tpu"], ["device=tpu"]),
    (["--out", "m", "--resume"], ["m: holds no training run"]),
    (["--resume"], ["which run is to go on?", "--out DIR --resume"]),
    (["--out", "midi"], ["midi", "nothing in it is touched"]),
    (["--out", "m", "nosuch.mid"], ["nosuch.mid"]),
    (["--out", "m", "width=0"], ["width=0"]),
])
def test_what_cannot_be_trained_is_refused_in_one_line(learn, folder, words, told):
    result = learn(*words)
    assert result.exit_code == 1 and all(part in result.stderr for part in told), result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert os.listdir(folder) == ["midi"]


def test_words_in_the_wrong_order_and_nothing_to_learn_from_are_told(run, midi, tiny):
    assert "the model comes first" in run("train", "midi", "tiny", "--out", "m").stderr
    result = run("train", "tiny", "--out", "m")
    assert "what should tiny learn from?" in result.stderr and "--out my.tiny" in result.stderr
    assert "did you mean tiny" in run("train", "tny", "midi", "--out", "m").stderr
    assert run("train").exit_code == 2
    assert run("train", "tiny", "midi", "--steps", 0, "--out", "m").exit_code == 2


def test_a_run_that_kept_no_model_yet_is_not_taken_for_music(run, midi, tiny, folder):
    (folder / "begun" / "training").mkdir(parents=True)
    (folder / "begun" / "training" / "run.json").write_text("{}")
    for name in ("begun", "begun/"):
        result = run("train", name, "midi", "--out", "m")
        assert result.exit_code == 1 and "has kept no model yet; let it go on with --resume" in result.stderr


def test_a_recipe_with_a_mistake_says_where(run, folder, midi, tiny):
    def told(text):
        Path("r.toml").write_text(text, encoding="utf-8")
        result = run("train", "tiny", "midi", "--recipe", "r.toml", "--out", "m")
        assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
        return result.stderr

    assert "did you mean width?" in told('model = "tiny"\n[config]\nwith = 3\n')
    assert "[train]" in told('model = "tiny"\n[train]\nbach = 3\n')
    assert "not TOML" in told('model = tiny\n')
    assert "for the model markov, not for tiny" in told('model = "markov"\n')
    assert sorted(os.listdir(folder)) == ["midi", "r.toml"]


@pytest.mark.parametrize("words", [["--steps", "4"], ["--recipe", "x"], ["--resume"], ["--keep", "log"],
                                   ["train.batch=4"], ["--device", "cpu"]])
def test_models_that_count_take_no_settings_of_the_loop(run, midi, folder, words):
    result = run("train", "markov", "midi", "--out", "m", *words)
    assert result.exit_code == 1 and "markov learns by counting" in result.stderr
    assert words[0].partition("=")[0] in result.stderr
    assert os.listdir(folder) == ["midi"]


def test_without_torch_the_extra_is_named(learn, folder, monkeypatch):
    for name in [name for name in sys.modules if name == "accelerate" or name.startswith("componium.training.machine")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    result = learn("--out", "m")
    assert result.exit_code == 1 and "pip install 'componium[neural]'" in result.stderr
    assert os.listdir(folder) == ["midi"]


# going on

@pytest.fixture
def stopped(learn, folder, monkeypatch):
    """A run of 12 steps in `m`, stopped after 5, and what it said."""
    from componium.cli.training.bar import Display

    whole = Display.stepped

    def stop(self, report):
        whole(self, report)
        if report.step == 5:
            raise Cancelled("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(Display, "stepped", stop)
        return learn("--steps", 12, "--out", "m")


def test_a_stopped_training_says_how_to_go_on_and_does(stopped, learn, run, folder):
    assert stopped.exit_code == 130
    said, command = stopped.stderr.strip().rpartition("; to go on: ")[::2]
    assert said.splitlines()[-1] == "stopped after step 5 of 12" and command == "componium train tiny --out m --resume"
    result = run(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.stderr
    assert "goes on after step 5 of 12 steps" in result.stdout and "finished 12 steps" in result.stdout
    assert learn("--steps", 12, "--out", "whole").exit_code == 0
    weights = [json.loads((folder / name / "steps" / "last" / "model.json").read_text())["weights"]["sha256"]
               for name in ("m", "whole")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("words", [
    ["tiny", "--out", "m"], ["m"], ["m", "--out", "m"], ["m/"], ["tiny", "midi", "--out", "m"],
    ["tiny", "--out", "m", "width=8", "train.batch=4", "--seed", "0"]])
def test_a_run_goes_on_by_its_model_or_its_folder(stopped, run, folder, words):
    result = run("train", *words, "--resume")
    assert result.exit_code == 0, result.stderr
    assert "finished 12 steps" in result.stdout


@pytest.mark.parametrize(("words", "told"), [
    (["width=9"], ["otherwise: width is 8 there, 9 was asked for"]),
    (["train.batch=9", "--seed", "3"], ["train.batch is 4 there, 9", "seed is 0 there, 3"]),
    (["--steps", "3"], ["steps is 12 there, 3"]),
    (["--recipe", "x"], ["begun with no recipe, not with --recipe x"]),
    (["--budget", "3s"], ["--steps N"]),
    (["--force"], ["--force begins anew"]),
    (["other"], ["the music is not that of midi"]),
    (["--exclude", "marks.json"], ["--exclude was not given then and is ", "marks.json now"]),
])
def test_a_run_goes_on_only_as_it_was_begun(stopped, run, folder, chorales, words, told):
    write_score(chorales[0].content, folder / "other" / "a.mid")
    write_score(chorales[1].content, folder / "other" / "b.mid")
    before = (folder / "m" / "training" / "run.json").read_bytes()
    result = run("train", "tiny", "--out", "m", "--resume", *words)
    assert result.exit_code == 1 and all(part in result.stderr for part in told), result.stderr
    assert (folder / "m" / "training" / "run.json").read_bytes() == before


def test_a_finished_run_says_so_and_can_become_longer(learn, run, folder):
    assert learn("--steps", 4, "--out", "m").exit_code == 0
    again = run("train", "tiny", "--out", "m", "--resume")
    assert again.exit_code == 0 and "is finished: 4 of 4 steps" in again.stdout and "--steps 8" in again.stdout
    for words, steps in ((["--steps", 6], 6), (["train.steps=9"], 9)):
        longer = run("train", "tiny", "--out", "m", "--resume", *words)
        assert longer.exit_code == 0, longer.stderr
        assert f"finished {steps} steps" in longer.stdout and run_of(folder / "m")["steps"] == steps


def test_a_run_is_replaced_only_with_force(learn, folder):
    assert learn("--steps", 2, "--out", "m").exit_code == 0
    refused = learn("--steps", 3, "--out", "m")
    assert refused.exit_code == 1 and "--resume goes on with it, --force replaces it" in refused.stderr
    assert run_of(folder / "m")["steps"] == 2
    assert learn("--steps", 3, "--out", "m", "--force").exit_code == 0
    assert run_of(folder / "m")["steps"] == 3


def test_a_model_of_ones_own_is_trained_and_goes_on(run, midi, folder, no_previews):
    own = f"{TINY}:Tiny"
    result = run("train", own, "midi", *FAST, "--steps", 3, "--out", "m")
    assert result.exit_code == 0, result.stderr
    assert "componium generate" not in result.stdout, "its folder alone does not tell where its class is"
    result = run("train", own, "--out", "m", "--resume", "--steps", 5)
    assert result.exit_code == 0, result.stderr
    assert "FILE.py:CLASS" in run("train", "m", "--resume").stderr


# fine-tuning

def test_weights_are_continued_and_previewed_before_and_after(learn, run, folder, chorales, monkeypatch):
    previews = []
    monkeypatch.setattr("componium.cli.training.previews.Previews.preview",
                        lambda _self, step, model: previews.append((step, model.generate(bars=1, seed=1).note_num())))
    assert learn("--steps", 3, "--out", "a").exit_code == 0
    write_score(chorales[0].content, folder / "other" / "a.mid")
    write_score(chorales[1].content, folder / "other" / "b.mid")
    previews.clear()
    result = run("train", "a/", "other", *FAST, "--steps", 2, "train.preview_every=9", "--out", "b")
    assert result.exit_code == 0, result.stderr
    assert "continues the weights" in result.stdout
    assert [step for step, _ in previews] == [0, 2]
    header = json.loads((folder / "b" / "model.json").read_text())
    assert header["provenance"]["before"]["data"] == "midi" and "other" in header["provenance"]["data"]
    refused = run("train", "a/", "other", "width=3", "--out", "c")
    assert refused.exit_code == 1 and "width of a/ was fixed when it was trained, and is 8" in refused.stderr
    Path("r.toml").write_text('model = "tiny"\n[config]\nwidth = 3\n', encoding="utf-8")
    refused = run("train", "a/", "other", "--recipe", "r.toml", "--out", "c")
    assert refused.exit_code == 1 and "the recipe r.toml asks for 3" in refused.stderr


def test_a_model_that_counted_is_not_continued(run, midi, model):
    result = run("train", model, "midi", "--out", "m")
    assert result.exit_code == 1 and "train anew on all of it" in result.stderr


# the ladder

def test_one_seed_is_played_through_the_ladder(learn, run, folder):
    assert learn("--steps", 6, "--keep", "log", "--out", "m").exit_code == 0
    result = run("generate", "m@all", "--seed", 1, "--bars", 2, "--out", "a.mid")
    assert result.exit_code == 0, result.stderr
    names = ["a-000001.mid", "a-000002.mid", "a-000004.mid", "a-000006.mid"]
    assert sorted(path.name for path in folder.glob("*.mid")) == names
    assert all(len(bars(read_score(folder / name))) == 2 for name in names)
    assert run("generate", "m@4", "--seed", 1, "--bars", 2, "--out", "b.mid").exit_code == 0
    same = [[(n.start, n.pitch) for n in read_score(folder / name).tracks[0].notes] for name in ("b.mid", names[2])]
    assert same[0] == same[1] and read_origin(folder / names[2]).models[0].model == "m@4"
    assert "--force" in run("generate", "m@all", "--seed", 1, "--bars", 2, "--out", "a.mid").stderr
    page = run("generate", "m@all", "--seed", 1, "--bars", 2, "--out", "a.html")
    assert page.exit_code == 0, page.stderr
    text = (folder / "a.html").read_text(encoding="utf-8")
    assert all(f'id="t{number}"' in text for number in (1, 2, 3, 4)) and "Step 4" in text
    assert "m@3" in run("generate", "m@3", "--out", "c.mid").stderr


@pytest.mark.parametrize(("model", "words", "told"), [
    ("m@all", [], "--keep log"), ("m@all", ["--count", "2"], "leave --count"),
    ("nosuch@all", [], "nosuch: no such folder"), ("m@all", ["--rank", "pitch", "--count", "3"], "leave --count"),
])
def test_a_ladder_that_is_none_is_refused(learn, run, folder, model, words, told):
    assert learn("--steps", 2, "--out", "m").exit_code == 0
    result = run("generate", model, "--seed", 1, *words)
    assert result.exit_code == 1 and told in result.stderr, result.stderr


def test_a_damaged_rung_is_left_out(learn, run, folder):
    assert learn("--steps", 4, "--keep", "every=1", "--out", "m").exit_code == 0
    (folder / "m" / "steps" / "2" / "model.json").write_text("{", encoding="utf-8")
    result = run("generate", "m@all", "--seed", 1, "--bars", 1, "--out", "a.mid")
    assert result.exit_code == 0 and "steps/2" in result.stderr
    assert sorted(path.name for path in folder.glob("*.mid")) == ["a-000001.mid", "a-000003.mid", "a-000004.mid"]


# previews

@pytest.fixture
def watch(tmp_path, tiny):
    """Return Previews into a folder, the model, and the warnings."""
    from componium.cli.training.previews import Previews

    told = []
    model = tiny()
    model.initialise(1)
    out = tmp_path / "run"
    out.mkdir()
    return Previews(out, lambda step, ending: out / f"{step}{ending}", told.append), model, told


def test_a_preview_is_score_picture_and_sound_with_their_origin(watch, run):
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")
    previews, model, told = watch
    model.provenance = {"data": "midi", "licence": "CC0-1.0"}
    previews.preview(5, model)
    assert told == [] and [path.suffix for path in previews.written] == [".mid", ".png", ".wav"]
    for path in previews.written:
        origin = read_origin(path)
        assert origin.verb == "train" and origin.seed == 1 and origin.settings == {"step": 5, "bars": 8}
        assert origin.models[0].model.endswith("run@5") and origin.licence == "CC0-1.0"
    said = run("whence", previews.written[0]).stdout
    assert "componium generate" in said and "run@5 --bars 8 --seed 1" in said


def test_a_preview_of_an_instrument_is_a_tune_that_it_plays(watch):
    pytest.importorskip("torch")
    from componium.instruments.ddsp import DDSP, DDSPConfig
    from componium.music.audio import Audio

    previews, _, told = watch
    model = DDSP(DDSPConfig(sample_rate_hz=16000, hop_samples=320, harmonics=8, noise_bands=9, hidden=16, width=16))
    model.trained = True
    model.learned = dataclasses.replace(model.learned, loudness_quantiles=tuple(range(-110, -9)))
    previews.preview(7, model)
    (path,) = previews.written
    assert not told and path.name == "7.wav" and Audio.read(path).seconds > 5
    assert read_origin(path).settings == {"step": 7, "bars": 8}


def test_what_a_preview_cannot_make_is_told_once(watch, monkeypatch):
    previews, model, told = watch

    def no_font(*_):
        raise MissingExtra("pretty_midi", "soundfont", "Playing")

    monkeypatch.setattr("componium.music.soundfont.find_soundfont", no_font)
    for step in (1, 2):
        previews.preview(step, model)
    assert len(told) == 1 and "no sound of the preview" in told[0] and "componium[soundfont]" in told[0]
    assert [path.name for path in previews.written] == ["2.mid", "2.png"]

    def broken(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(model, "generate", broken, raising=False)
    for step in (3, 4):
        previews.preview(step, model)
    assert len(told) == 2 and told[1] == "no preview of step 3: ZeroDivisionError"


def test_a_preview_says_what_ails_the_music_until_it_is_well(watch, monkeypatch):
    previews, model, told = watch
    monkeypatch.setattr(previews, "_write", lambda *_: None)
    compose = model.generate
    stuck = compose(bars=8, seed=1)
    for note in stuck.tracks[0].notes:
        note.pitch = 60
    for made in (stuck, stuck, compose(bars=8, seed=1), stuck):
        monkeypatch.setattr(model, "generate", lambda made=made, **_: made, raising=False)
        previews.preview(1, model)
    assert len(told) == 2 and "one note for ever" in told[0] and told[0] == told[1]


def test_a_model_that_does_not_compose_has_no_previews(watch):
    previews, _, told = watch
    previews.preview(1, object())
    assert told == [] and previews.written == []


# what is shown

def test_times_and_sizes_are_said_as_people_do():
    from componium.cli.training.telling import duration, size

    assert [duration(s) for s in (0.2, 8, 59.6, 250, 600, 3599, 7500, 400_000)] == [
        "under a second", "8 s", "1 min", "4 min 10 s", "10 min", "1 h 0 min", "2 h 5 min", "5 days"]
    assert [size(n) for n in (12, 2048, 5_450_000, 3 << 30)] == ["12 bytes", "2 KB", "5.2 MB", "3 GB"]


def info(**more):
    from componium.training.observing import RunInfo

    told = {"model": "tiny", "steps": 10, "first_step": 0, "settings": {"batch": 4}, "seed": 0, "parameters": 9,
            "data": "midi", "pieces": 2, "held_out_pieces": 0, "passed_over": (), "device": "cpu", "processes": 1,
            "precision": "float32", "precision_reason": "", "estimate": None, "budget_seconds": None,
            "fine_tuning": False, "out": None}
    return RunInfo(**told | more)


def report(step, **more):
    from componium.training.observing import StepReport

    told = {"steps": 10, "loss": 1.5, "parts": {}, "learning_rate": 0.1, "gradient_norm": 1.0,
            "examples_per_second": 1234.5, "epoch": 0.5, "stage": "", "seconds": 1.0, "log": True}
    return StepReport(step, **told | more)


def test_without_a_terminal_a_line_is_written_now_and_then(capsys):
    from componium.cli.training.bar import Display

    now = [0.0]
    display = Display(lambda _run: ["what is done"], clock=lambda: now[0])
    display.begun(info(steps=1000))
    for step in range(1, 201):
        now[0] = step
        display.stepped(report(step, steps=1000, parts={"soprano": 1.0, "bass": 0.5}))
    display.warned("a [bold] warning")
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == "what is done\n" and lines[-1] == "warning: a [bold] warning"
    assert [line.split(":")[0] for line in lines[:-1]] == [f"step {n} of 1000" for n in (10, 70, 130, 190)]
    assert lines[0].endswith("loss 1.5 (soprano 1, bass 0.5), 1,234 examples/s, about 16 min left")


def test_in_a_terminal_a_bar_shows_step_loss_speed_and_warnings_above_it(capsys):
    import io

    from rich.console import Console

    from componium.cli.training.bar import Display

    now, drawn = [0.0], io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=110, color_system=None)
    display = Display(lambda _run: [], console, clock=lambda: now[0])
    display.progress("reading")(0.5, "a piece")
    display.begun(info())
    now[0] = 9.0
    display.stepped(report(4, parts={"soprano": 1.0, "bass": 0.5}))
    display._bars.refresh()
    display.warned("something [is] odd")
    display.stepped(report(10))
    display.close()
    shown = drawn.getvalue()
    for part in ("reading", "a piece", "training", "4/10", "loss 1.5 (soprano 1, bass 0.5)", "1,234 examples/s", "left",
                 "warning: something [is] odd"):
        assert part in shown, part
    assert capsys.readouterr().err == ""


def test_a_closed_terminal_ends_no_training_and_stages_are_announced(capsys, monkeypatch):
    from componium.cli.training.bar import Display

    display = Display(lambda _run: [])
    display.begun(info())
    for step, stage in ((1, "pitches"), (2, "pitches"), (3, "rhythm")):
        display.stepped(report(step, stage=stage))
    assert capsys.readouterr().err.splitlines() == ["from step 1: pitches", "from step 3: rhythm"]

    def gone(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("typer.echo", gone)
    display.warned("nobody hears this")


def test_the_lines_before_the_first_step_name_what_it_costs():
    from componium.cli.training.telling import before_lines
    from componium.training.observing import Estimate

    cost = Estimate(0.05, 1.0, 0.1, 100.0, 3 << 20, 5 << 20)
    lines = before_lines(info(estimate=cost, budget_seconds=90.0, fine_tuning=True, processes=2,
                              passed_over=(("x.mid", "is too short"),), precision_reason="faster"))
    text = "\n".join(lines)
    for part in ("skipped 1:", "x.mid: is too short", "continues the weights", "reckoned from 1 min 30 s",
                 "about 1 min 40 s (50 ms a step)", "3 MB of memory", "5 MB of disk",
                 "on cpu with 2 processes, in float32 (faster)"):
        assert part in text, part


def test_a_disk_that_is_too_small_is_told_before_the_first_step(tmp_path):
    from componium.cli.training.telling import before_lines
    from componium.training.observing import Estimate

    def told(disk_bytes):
        return before_lines(info(estimate=Estimate(0.05, 1.0, 0.1, 100.0, 0, disk_bytes), out=tmp_path))

    assert any("of the disk are free; keep fewer steps (--keep)" in line for line in told(1 << 60))
    assert not any("free" in line for line in told(1))


# several processes

def test_processes_other_than_the_first_are_silent(learn, folder, monkeypatch):
    from componium.cli.training import run as module

    def fails(*_):
        raise BadInput("told by process 0")

    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(module, "_learn", fails)
    result = learn("--out", "m")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "")


ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["docs/6-training.md", "examples/skypilot_train.yaml"])
def test_the_lines_for_clusters_are_command_lines_that_exist(page):
    import typer

    from componium.cli.main import app

    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.partition("--no-python ")[2] for line in text.splitlines() if "torchrun " in line]
    commands = [shlex.split(line)[1:] for line in lines if line]
    assert commands
    program = typer.main.get_command(app)
    for verb, *words in commands:
        command = program.get_command(typer.Context(program, info_name="componium"), verb)
        for how in (["--resume"], ["--budget", "3h"]):
            given = [each for word in words for each in (how if word == "$how" else [word])]
            assert command.make_context(verb, given).params["words"] == ["my_midi" + "/" * page.endswith(".md")]


def test_the_example_for_the_cloud_is_sound_yaml_and_shell():
    yaml = pytest.importorskip("yaml")
    task = yaml.safe_load((ROOT / "examples" / "skypilot_train.yaml").read_text(encoding="utf-8"))
    assert set(task) == {"name", "resources", "num_nodes", "envs", "workdir", "file_mounts", "setup", "run"}
    bash = shutil.which("bash")
    for part in ("setup", "run") if bash else ():
        assert subprocess.run([bash, "-n"], input=task[part], text=True, check=False).returncode == 0
    used = set(re.findall(r"\$([A-Z_]+)", task["setup"] + task["run"]))
    assert {name for name in used if not name.startswith("SKYPILOT_")} <= set(task["envs"]) | {"HOME"}


@pytest.mark.slow
def test_torchrun_starts_two_processes_that_train_one_model(folder, midi):
    programs = str(Path(sys.executable).parent)
    torchrun, componium = (shutil.which(name, path=programs) for name in ("torchrun", "componium"))
    if torchrun is None or componium is None:
        pytest.skip("the programs torchrun and componium are not beside this Python")
    words = [torchrun, "--nproc-per-node", "2", "--master-port", "29613", "--no-python", componium, "train",
             f"{TINY}:Tiny", "midi", *FAST, "--steps", "4", "--keep", "every=2", "--out", "two"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "COMPONIUM_CACHE": str(folder / "cache")})
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished 4 steps") == 1 and "on cpu with 2 processes" in done.stdout
    assert run_of(folder / "two")["processes"] == 2
    assert sorted(path.name for path in (folder / "two" / "steps").iterdir()) == ["2", "4", "last"]
