"""The loop: learning, measuring, stopping, keeping, going on to the bit."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from componium import checkpoint, registry  # noqa: E402
from componium.music.errors import BadFile, BadInput, Cancelled, ComponiumError  # noqa: E402
from componium.training.folder import RunFolder  # noqa: E402
from componium.training.observing import Observer  # noqa: E402
from componium.training.train import train  # noqa: E402

QUICK = {"precision": "float32", "batch": 4, "held_out": 0.3, "held_out_every": 5, "save_every": 5, "log_every": 5}


class Ear(Observer):
    """Keeps all that it is told; stops the run after a step."""

    def __init__(self, stop_after=None):
        self.runs, self.steps, self.measured, self.previews, self.warnings, self.ends = [], [], [], [], [], []
        self.stop_after = stop_after

    def begun(self, run):
        self.runs.append(run)

    def stepped(self, report):
        self.steps.append(report)
        if report.step == self.stop_after:
            raise Cancelled("enough")

    def held_out(self, report):
        self.measured.append(report)

    def preview(self, step, model):
        self.previews.append((step, model.network.training, weights(model)))

    def warned(self, text):
        self.warnings.append(text)

    def ended(self, summary):
        self.ends.append(summary)


def weights(model):
    return {key: value.detach().cpu().numpy().tobytes() for key, value in model.network.state_dict().items()}


def learned(model, items, steps=20, ear=None, **more):
    settings = QUICK | more.pop("settings", {})
    return train(model, items, steps=steps, settings=settings, observers=[ear] if ear else [], **more)


def test_it_learns_and_tells(toy, chorales):
    ear = Ear()
    assert learned(toy, chorales, 60, ear, settings={"learning_rate": 0.02}) is toy
    run, end = ear.runs[0], ear.ends[0]
    assert (run.model, run.steps, run.first_step, run.pieces + run.held_out_pieces) == ("toy", 60, 0, 5)
    assert run.parameters == sum(p.numel() for p in toy.network.parameters())
    assert run.estimate.step_seconds > 0 and run.estimate.memory_bytes > 2**20
    assert [report.step for report in ear.steps] == list(range(1, 61))
    assert [report.step for report in ear.steps if report.log] == [1, *range(5, 61, 5)]
    assert [report.step for report in ear.measured] == [0, *range(5, 61, 5)]
    assert ear.measured[0].train_loss is None
    assert ear.measured[1].train_loss == pytest.approx(np.mean([report.loss for report in ear.steps[:5]]))
    assert {report.stage for report in ear.steps[:5]} == {"beginning"} and ear.steps[5].stage == "end"
    assert np.mean([r.loss for r in ear.steps[-10:]]) < np.mean([r.loss for r in ear.steps[:5]]) - 0.5
    assert ear.steps[0].parts["nats"] == pytest.approx(ear.steps[0].loss)
    assert ear.steps[-1].epoch == pytest.approx(60 * 4 / run.pieces)
    assert [step for step, *_ in ear.previews] == [12, 24, 36, 48, 60] and not ear.previews[0][1]
    assert end.reason == "finished" and end.held_out == min(r.loss for r in ear.measured[1:])
    assert toy.trained and not toy.network.training and toy.measured == run.pieces
    assert all(p.requires_grad and p.grad is None for p in toy.network.parameters())


def test_every_update_learns_from_its_own_batch(toys, cache, chorales):
    from componium.training.batches import Batches
    from componium.training.preparing import prepared_of

    class Listening(toys.Toy):
        def loss(self, batch, **where):
            heard.append(batch["notes"].numpy().copy())
            return super().loss(batch, **where)

    heard = []
    model = learned(Listening(), chorales, 6, settings={"held_out": 0.0}, seed=7)
    prepared = prepared_of(model, chorales)
    batches = Batches(model, prepared.arrays, prepared.names, batch=4, seed=7)
    for number, notes in enumerate(heard[-6:]):
        assert np.array_equal(notes, batches.parts(number)[0]["notes"])
    assert len({notes.tobytes() for notes in heard[-6:]}) == 6


def test_what_is_written_of_the_data(toy, chorales):
    learned(toy, chorales, 5)
    told = toy.provenance
    assert json.loads(json.dumps(told)) == told
    assert told["pieces"] + told["held_out_pieces"] == 5 and len(told["hashes"]) == told["pieces"]
    assert not set(told["hashes"]) & set(told["held_out_hashes"])
    assert (told["steps"], told["precision"], told["device"]) == (5, "float32", "cpu")
    assert list(toy.figures) == [f"held_out_loss_of_{told['held_out_pieces']}_pieces_by_melody"]


def test_the_same_seed_gives_the_same_weights_and_another_others(toys, cache, chorales):
    models = [learned(toys.Toy(toys.ToyConfig(dropout=0.3)), chorales, 12, seed=seed) for seed in (1, 1, 2)]
    assert weights(models[0]) == weights(models[1]) != weights(models[2])


def test_the_global_generators_are_left_alone(toy, chorales):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before = np.random.get_state()[1].copy()  # noqa: NPY002  (that is what is watched)
    learned(toy, chorales, 6, settings={"precision": "auto"})
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_best_weights_stay_and_an_early_stop_ends(toy, chorales):
    ear = Ear()
    learned(toy, chorales, 400, ear, settings={"learning_rate": 0.1, "patience": 3, "schedule": "constant"})
    end = ear.ends[0]
    assert end.reason == "no improvement" and end.step < 400
    assert end.best_step < end.step and end.step - end.best_step == 15
    best = min(ear.measured[1:], key=lambda report: report.loss)
    assert (best.step, best.loss) == (end.best_step, end.held_out)
    assert next(iter(toy.figures.values())) == pytest.approx(best.loss, abs=1e-5)
    assert toy.provenance["steps"] == best.step
    assert learned_loss(toy, chorales, ear) == pytest.approx(best.loss, rel=1e-5)


def learned_loss(toy, items, ear):
    from componium.training.batches import held_out_batches
    from componium.training.preparing import divided, prepared_of

    _, held = divided(prepared_of(toy, items), QUICK["held_out"], "melody")
    batch = held_out_batches(toy, held.arrays, held.names, 100)[0]
    with torch.no_grad():
        return float(toy.loss({key: torch.from_numpy(value) for key, value in batch.items()}, turn="all", step=0)[0])


@pytest.mark.parametrize(("stop", "more"), [
    (7, {}), (10, {"ema": 0.9}), (3, {"accumulate": 2}), (7, {"optimizer": "rmsprop", "schedule": "halving"}),
    (7, {"optimizer": "adam", "held_out": 0.0}), (8, {"precision": "bfloat16"})], ids=str)
def test_a_stopped_run_goes_on_to_the_bit(toys, cache, chorales, tmp_path, more, stop):
    config = toys.ToyConfig(dropout=0.2)
    whole = learned(toys.Toy(config), chorales, 20, settings=more, out=tmp_path / "whole")
    with pytest.raises(Cancelled, match=f"step {stop} of 20.*--resume"):
        learned(toys.Toy(config), chorales, 20, Ear(stop), settings=more, out=tmp_path / "parts")
    ear = Ear()
    parts = train(toys.Toy(config), chorales, out=tmp_path / "parts", resume=True, observers=[ear])
    assert ear.runs[0].first_step == stop and ear.steps[0].step == stop + 1
    assert weights(parts) == weights(whole)
    assert parts.figures == whole.figures
    for place in ("", "steps/last"):
        one, other = (checkpoint.load(tmp_path / run / place, cls=toys.Toy) for run in ("whole", "parts"))
        assert weights(one) == weights(other)


def test_a_run_that_is_killed_before_its_first_state_begins_anew(toys, cache, chorales, tmp_path):
    import shutil

    whole = learned(toys.Toy(), chorales, 6, out=tmp_path / "run", seed=3)
    for name in ("state", "state-before"):
        shutil.rmtree(tmp_path / "run" / "training" / name)
    assert weights(train(toys.Toy(), chorales, out=tmp_path / "run", resume=True)) == weights(whole)


def test_only_the_length_of_a_run_may_change(toys, cache, chorales, melodies, tmp_path):
    learned(toys.Toy(), chorales, 6, out=tmp_path / "run", seed=3)
    out = tmp_path / "run"
    for wrong, word in [({"settings": {"batch": 8}}, "train.batch"), ({"seed": 4}, "seed"), ({"steps": 3}, "steps")]:
        with pytest.raises(BadInput, match=word):
            train(toys.Toy(), chorales, out=out, resume=True, **({"steps": 9} | wrong))
    with pytest.raises(BadInput, match="the music is not that of"):
        train(toys.Toy(), melodies, out=out, resume=True, steps=9)
    with pytest.raises(BadInput, match="width is 8 there, 9"):
        train(toys.Toy(toys.ToyConfig(width=9)), chorales, out=out, resume=True, steps=9)
    ear = Ear()
    train(toys.Toy(), chorales, out=out, resume=True, steps=9, observers=[ear])
    assert [report.step for report in ear.steps] == [7, 8, 9]


def test_a_finished_run_says_so_and_gives_its_model(toys, cache, chorales, tmp_path):
    model, ear = learned(toys.Toy(), chorales, 6, out=tmp_path / "run"), Ear()
    again = train(toys.Toy(), chorales, out=tmp_path / "run", resume=True, observers=[ear])
    assert weights(again) == weights(model) and again.figures == model.figures
    assert "finished" in ear.warnings[0] and "--steps" in ear.warnings[0] and not ear.runs


def test_data_by_name_is_found_again(toys, cache, tmp_path, monkeypatch):
    from pathlib import Path

    (tmp_path / "x.json").write_text(json.dumps([[[60 + i % 7, 55, 52, 40 + n] for i in range(32)] for n in range(4)]))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Cancelled):
        learned(toys.Toy(), "x.json", 8, Ear(3), out=Path("run"))
    monkeypatch.chdir("/")
    assert train(toys.Toy(), out=tmp_path / "run", resume=True).provenance["pieces"] >= 1


def test_resume_needs_a_folder_with_a_run(toys, cache, chorales, tmp_path):
    with pytest.raises(BadInput, match="out"):
        train(toys.Toy(), chorales, resume=True)
    with pytest.raises(BadFile, match="holds no training run"):
        train(toys.Toy(), chorales, resume=True, out=tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_run_is_replaced_only_by_force(toys, cache, chorales, tmp_path):
    learned(toys.Toy(), chorales, 3, out=tmp_path / "run")
    before = (tmp_path / "run" / "model.json").read_bytes()
    with pytest.raises(BadFile, match="--force"):
        learned(toys.Toy(), chorales, 3, out=tmp_path / "run")
    assert (tmp_path / "run" / "model.json").read_bytes() == before
    learned(toys.Toy(), chorales, 4, out=tmp_path / "run", force=True)
    assert checkpoint.load(tmp_path / "run", cls=toys.Toy).provenance["steps"] <= 4


def test_the_ladder_holds_the_steps_that_were_asked_for(toys, cache, chorales, tmp_path):
    ear = Ear()
    learned(toys.Toy(), chorales, 10, ear, settings={"keep": "every=4", "preview_every": 4}, out=tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run" / "steps").iterdir()) == ["4", "8", "last"]
    at_four = checkpoint.load(tmp_path / "run" / "steps" / "4", cls=toys.Toy)
    assert weights(at_four) == dict(ear.previews[0][2]) and at_four.trained


def test_fine_tuning_continues_and_remembers(toys, cache, chorales, melodies, tmp_path):
    model = learned(toys.Toy(), chorales, 10)
    start, first = weights(model), dict(model.provenance)
    ear = Ear()
    learned(model, melodies, 4, ear, out=tmp_path / "tuned", settings={"learning_rate": 1e-9, "weight_decay": 0.0})
    assert ear.runs[0].fine_tuning and ear.previews[0][0] == 0 and ear.previews[0][2] == start
    assert set(first["hashes"]) < set(model.provenance["hashes"])
    assert model.provenance["before"]["data_hash"] == first["data_hash"] != model.provenance["data_hash"]
    assert model.provenance["pieces"] == len(model.provenance["hashes"])
    assert np.allclose(next(model.network.parameters()).detach(),
                       np.frombuffer(start["0.weight"], np.float32).reshape(-1, 8), atol=1e-6)


def test_tuning_that_only_harms_leaves_the_model_as_it_was(toys, cache, chorales, melodies):
    model = learned(toys.Toy(), chorales, 60, settings={"learning_rate": 0.02})
    start = weights(model)
    learned(model, chorales, 10, settings={"learning_rate": 30.0, "clip_norm": 0.0, "optimizer": "rmsprop"})
    assert weights(model) == start


def test_a_stopped_tuning_goes_on_to_the_bit(toys, cache, chorales, melodies, tmp_path):
    start = checkpoint.save(learned(toys.Toy(), chorales, 5), tmp_path / "start")
    ends = []
    for stop in (None, 3):
        out = tmp_path / f"run{stop}"
        try:
            model = learned(checkpoint.load(start, cls=toys.Toy), melodies, 8, Ear(stop), out=out)
        except Cancelled:
            model = train(toys.Toy(), melodies, out=out, resume=True)
        ends.append((weights(model), model.provenance["before"], model.provenance["hashes"]))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_in_good_order(toys, cache, chorales, tmp_path, number):
    class Kill(Observer):
        def stepped(self, report):
            if report.step == 4:
                signal.raise_signal(number)

    before = signal.getsignal(number)
    with pytest.raises(Cancelled, match="step 4 of 20"):
        train(toys.Toy(), chorales, steps=20, settings=QUICK, out=tmp_path / "run", observers=[Kill()])
    assert signal.getsignal(number) is before
    resumed = train(toys.Toy(), chorales, out=tmp_path / "run", resume=True)
    assert weights(resumed) == weights(learned(toys.Toy(), chorales, 20))


def test_a_second_ctrl_c_does_not_wait(toys, cache, chorales, tmp_path):
    class Impatient(Observer):
        def stepped(self, report):
            if report.step == 7:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(toys.Toy(), chorales, steps=20, settings=QUICK, out=tmp_path / "run", observers=[Impatient()])
    resumed = train(toys.Toy(), chorales, out=tmp_path / "run", resume=True)  # from step 5, which was saved
    assert weights(resumed) == weights(learned(toys.Toy(), chorales, 20))


def test_an_error_of_an_observer_ends_the_run_and_the_state_stays(toys, cache, chorales, tmp_path):
    class Full(Observer):
        def stepped(self, report):
            if report.step == 8:
                raise BadFile("log.jsonl", "the disk is full")

    with pytest.raises(BadFile, match="full"):
        train(toys.Toy(), chorales, steps=20, settings=QUICK, out=tmp_path / "run", observers=[Full()])
    ear = Ear()
    train(toys.Toy(), chorales, out=tmp_path / "run", resume=True, observers=[ear])
    assert ear.runs[0].first_step == 5


def test_without_a_folder_a_stopped_model_keeps_what_it_learned(toy, chorales):
    before = weights(toy)
    with pytest.raises(Cancelled, match="step 7"):
        learned(toy, chorales, 20, Ear(7))
    assert toy.trained and weights(toy) != before and toy.provenance["steps"] in (5, 7)


def test_stopping_before_the_first_step_changes_nothing(toy, chorales):
    def stop(_done, _text=""):
        raise Cancelled("no")

    before = weights(toy)
    with pytest.raises(Cancelled):
        train(toy, chorales, progress=stop, steps=3)
    assert not toy.trained and weights(toy) == before and toy.provenance == {}


def test_one_update_that_is_not_finite_is_left_out(toys, cache, chorales):
    ear = Ear()
    model = learned(toys.Toy(toys.ToyConfig(explode_at=4, explode_for=2)), chorales, 10, ear)
    assert [report.step for report in ear.steps if report.skipped] == [5, 6]
    assert "step 5" in ear.warnings[0] and ear.ends[0].reason == "finished"
    assert all(torch.isfinite(p).all() for p in model.network.parameters())


def test_a_measurement_that_is_not_finite_is_never_the_best(toys, cache, chorales, tmp_path):
    ear = Ear()
    model = learned(toys.Toy(toys.ToyConfig(explode_at=4, explode_for=1)), chorales, 10, ear, out=tmp_path / "run")
    assert np.isnan(ear.measured[1].loss) and not ear.measured[1].improved
    assert ear.ends[0].best_step == 10 and np.isfinite(ear.ends[0].held_out) and model.provenance["steps"] == 10


def test_a_run_that_ends_not_finite_keeps_no_state_of_it(toys, cache, chorales, tmp_path):
    with pytest.raises(ComponiumError, match="not a finite number"):
        learned(toys.Toy(toys.ToyConfig(explode_at=3)), chorales, 60, settings={"held_out": 0.0}, out=tmp_path / "run")
    found = RunFolder(tmp_path / "run").load_state()
    assert found is not None and found[1]["step"] == 0


def test_ten_in_a_row_end_the_run_and_leave_the_last_good_model(toys, cache, chorales, tmp_path):
    ear = Ear()
    with pytest.raises(ComponiumError, match=r"step 17.*not a finite number.*learning_rate.*last good model"):
        learned(toys.Toy(toys.ToyConfig(explode_at=7)), chorales, 60, ear, out=tmp_path / "run")
    kept = checkpoint.load(tmp_path / "run", cls=toys.Toy)
    assert kept.provenance["steps"] in (5, 10) and all(torch.isfinite(p).all() for p in kept.network.parameters())
    assert ear.ends[0].reason == "not finite"


def test_a_run_that_ends_before_it_kept_a_model_names_none(toys, cache, chorales, tmp_path):
    with pytest.raises(ComponiumError, match=r"not a finite number.*holds no model yet, --force begins it anew"):
        learned(toys.Toy(toys.ToyConfig(explode_at=0)), chorales, 60, out=tmp_path / "run")
    assert not checkpoint.is_checkpoint(tmp_path / "run")


def test_progress_rises_to_one(toy, chorales):
    told = []
    train(toy, chorales, steps=5, settings=QUICK, progress=lambda done, text="": told.append(done))
    assert told == sorted(told) and told[0] >= 0 and told[-1] == 1.0


def test_one_piece_is_learned_and_the_missing_measure_is_told(toy, chorales):
    ear = Ear()
    learned(toy, chorales[:1], 5, ear)
    assert "no held-out loss" in ear.warnings[0] and ear.measured == [] and toy.figures == {}
    assert ear.ends[0].held_out is None and ear.ends[0].best_step == 5


def test_a_budget_is_turned_into_steps_once(toys, cache, chorales, tmp_path):
    ear = Ear()
    train(toys.Toy(), chorales, budget="0.5s", settings=QUICK, out=tmp_path / "run", observers=[ear])
    run = json.loads((tmp_path / "run" / "training" / "run.json").read_text())
    assert run["steps"] == ear.runs[0].steps == ear.ends[0].step > 1 and run["budget_seconds"] == 0.5
    assert ear.ends[0].seconds < 4


@pytest.mark.parametrize(("wrong", "word"), [
    ({"steps": 2.5}, "whole number"), ({"seed": "x"}, "whole number"),
    ({"steps": 0}, "at least 1"), ({"seed": -1}, "seed"), ({"steps": 3, "budget": "1m"}, "not both"),
    ({"settings": {"batch": 0}}, r"train\.batch"), ({"settings": {"bach": 3}}, "batch"), ({"device": "tpu"}, "tpu"),
    ({"settings": {"batch": 5, "accumulate": 2}}, "multiple of 2, such as 4"), ({"recipe": "nothing"}, "recipe"),
    ({"budget": "soon"}, "such as 90s"), ({"device": "cuda" if not torch.cuda.is_available() else "x"}, "device"),
])
def test_what_cannot_be_asked_for(toy, chorales, wrong, word):
    with pytest.raises(BadInput, match=word):
        train(toy, chorales, **wrong)
    assert not toy.trained


def test_pieces_that_cannot_be_used_are_named(toys, cache, chorales, melodies):
    from componium.music.item import Item
    from componium.music.score import new_score

    model = toys.Toy()
    learned(model, [*chorales, Item("bare", "score", new_score(), hash="0")], 2)
    assert [(item.name, reason) for item, reason in model.passed_over] == [
        ("bare", "bare: it holds 0 notes, fewer than 5")]
    assert model.provenance["skipped_pieces"] == 1


def test_the_model_string_of_a_file_works(chorales, cache):
    from pathlib import Path

    model = registry.create(f"{Path(__file__).with_name('toys.py')}:Toy", width="4")
    assert learned(model, chorales, 2).trained


def test_counting_models_are_told_what_is_not_for_them(chorales):
    with pytest.raises(BadInput, match=r"steps is for models that learn by gradient; markov reads"):
        train(registry.create("markov"), chorales, steps=3)
    with pytest.raises(BadInput, match="does not learn"):
        train(registry.create("grammar"), chorales)


def test_a_counting_model_is_kept(chorales, tmp_path):
    model = train(registry.create("markov"), chorales, out=tmp_path / "m")
    assert checkpoint.load(tmp_path / "m").provenance == model.provenance
    with pytest.raises(BadFile, match="--force"):
        train(registry.create("markov"), chorales, out=tmp_path / "m")
