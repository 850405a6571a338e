from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from componium import checkpoint, registry
from componium.cli.demo import baseline, duet, learned, plan, singing, tracing, tune, work, writing
from componium.cli.demo.plan import (
    CHAIN,
    FILES,
    NETWORK,
    PARTNER,
    SOLO_FILES,
    SOLOIST,
    SOLOIST_SAMPLED,
    TURNED_FILES,
    Asked,
    Lesson,
    Turned,
)
from componium.cli.pages.takes import unpacked
from componium.dsp.pitch import tracker
from componium.music.audio import Audio
from componium.music.constraint_check import violations
from componium.music.constraints import Constraints
from componium.music.corpus import Corpus
from componium.music.errors import MissingExtra
from componium.music.formats import read_score
from componium.music.grid import to_grid
from componium.music.item import hash_of_score
from componium.music.origin import read_origin
from componium.music.provenance import benchmark_part, item_fingerprints
from componium.music.score import FERMATA, bars, key_signature_of, pickup_beats, seconds_at
from componium.music.soundfont import find_soundfont
from componium.music.tempo import FEWEST_NOTES, USUAL_BPM
from componium.music.theory import key_of
from componium.registry import PRETRAINED

NEEDS = ("torch", "music21", "verovio", "pretty_midi")
SHOWN = ("chorale", "folk-tune", "call-and-reply", "markov")
LEARNED = ("solo", "solo-soundfont", "sung", "transfer")
TURNED_STEMS = tuple(Path(name).stem for name in TURNED_FILES)


@pytest.fixture(scope="module")
def little_sax(tmp_path_factory):
    """A tiny instrument that has learned nothing, and says that it did."""
    pytest.importorskip("torch")
    from componium.instruments.ddsp import DDSP, DDSPConfig
    from componium.instruments.ddsp.learned import Learned

    made = DDSP(DDSPConfig(sample_rate_hz=16000, hop_samples=320, harmonics=8, noise_bands=9, hidden=16, width=16))
    made.trained = True
    made.learned = Learned(pitch_mean=69, pitch_range=(50, 81), loudness_quantiles=tuple(np.linspace(-40, -10, 101)))
    made.provenance = {"data": "little saxes", "pieces": 7, "hashes": [], "licence": "CC0-1.0", "seconds": 660.0,
                       "licences": {"CC0-1.0": 7}, "steps": 1200, "parameters": 4321}
    made.figures = {"spectral_loss": 5.4321}
    return checkpoint.save(made, tmp_path_factory.mktemp("instruments") / SOLOIST)


@pytest.fixture
def shipped(monkeypatch, tmp_path, little_sax):
    """The networks and the tiny instrument are all that is shipped."""
    (tmp_path / "pretrained").mkdir()
    for folder in (PRETRAINED / NETWORK, PRETRAINED / PARTNER, little_sax):
        (tmp_path / "pretrained" / folder.name).symlink_to(folder)
    monkeypatch.setattr(registry, "PRETRAINED", tmp_path / "pretrained")
    return tmp_path / "pretrained"


@pytest.fixture
def little_corpus(monkeypatch, chorales, shipped):
    """The demo learns from four small pieces, is judged on a fifth, and measures two pieces of each model."""
    for package in NEEDS:
        pytest.importorskip(package)
    corpus = Corpus(chorales, name="little")
    monkeypatch.setattr(plan, "MOST_MEASURED", 2)
    monkeypatch.setattr(work, "CANDIDATES", 2)
    monkeypatch.setattr(work, "read_chorales", lambda _progress: Lesson(corpus, corpus[:4], corpus[4:]))


def checked_page(folder, left_out=()):
    page = (folder / "index.html").read_text(encoding="utf-8")
    shown = [name for name in (*SHOWN, *LEARNED) if f"{name}.wav" not in left_out]
    drawn = re.findall(r'class="drawings">([\w+/=]+)<', page)
    assert len(drawn) == page.count("data:audio/mpeg;base64,") == len(shown) and "default-src 'none'" in page
    for stem, packed in zip(shown, drawn, strict=True):
        sheet, roll = unpacked(packed)
        for text in (sheet, roll):
            assert not re.search(r'(?:src|href)="(?!data:|#)', text)
        if stem in TURNED_STEMS:
            assert roll.count('class="sung"') == roll.count('class="played"') == 1 and "L" in roll and ">D4<" in roll
            continue
        assert "data:image/png;base64,iVBOR" in roll and "4 kHz" in roll
        if stem != "solo-soundfont":
            notes = read_score(folder / ("tune.abc" if stem == "solo" else f"{stem}.mid")).note_num()
            assert roll.count('data-s="') == notes <= sheet.count('data-s="') and sheet.startswith("<svg")
    linked = set(re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', page))
    assert linked == {*FILES} - {"index.html", *left_out}  # nothing else is loaded from anywhere
    assert page.index('class="sheet"') < page.index('class="stage"')  # the score above the roll
    assert all(re.search(r'alt="[^"]', image) for image in re.findall(r"<img [^>]*>", page))
    return page


def table_of(page, heading):
    """Return the rows of the table whose first header cell is ``heading``: name -> the other cells."""
    body = page[page.index(heading):].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>") if row]
    return {row[0]: row[1:] for row in rows}


def test_the_demo_writes_everything_and_its_commands_work(run, folder, little_corpus):
    result = run("demo", "--out", "my demo", "--key", "Bb", "--bars", 4, "--seed", 3)
    assert result.exit_code == 0, result.stderr
    out = folder / "my demo"
    assert sorted(os.listdir(out)) == sorted([*FILES, "model"])
    page = checked_page(out)
    for words in ("4 bars in Bb major", "Markov chain", "made for the tests", "CC0-1.0", "JSB-16/tok", "nats per token",
                  "first-order chain", "cadence", "--seed 3", find_soundfont().licence, tune.TITLE, tune.SOURCE,
                  "encoding licence not stated", duet.TITLE, duet.SOURCE, duet.RULES, "contour similarity"):
        assert words in page, words
    scores = table_of(page, ">model<")
    assert list(scores)[:2] == [NETWORK, CHAIN] and float(scores[CHAIN][0]) < 3.85 > float(scores[NETWORK][0])
    music = table_of(page, ">measure (mean over pieces)<")
    assert len(music) > 10 and all(len(cells) == 3 for cells in music.values())
    written = read_score(out / "chorale.musicxml")
    assert len(bars(written)) == len(bars(read_score(out / "chorale.mid"))) == 4
    assert str(key_signature_of(written)) == "Bb major"
    assert [track.program for track in read_score(out / "chorale.mid").tracks] == [68, 71, 60, 70]
    sound = Audio.read(out / "chorale.wav")
    assert sound.loudness_lufs == pytest.approx(-16, abs=0.3) and sound.peak_db < 0
    for name in (name for name in FILES if name.endswith((".mid", ".musicxml", ".wav", ".png"))
                 and Path(name).stem not in LEARNED):
        origin = read_origin(out / name)
        assert (origin.verb, origin.seed, origin.settings["key"]) == ("demo", 3, "Bb major")
        if name == "call.mid":
            assert (origin.made, origin.models) == ("converted", ()) and given_abc(origin, out)
            continue
        by = {"markov": CHAIN, "reply": PARTNER, "call-and-reply": PARTNER}.get(name.partition(".")[0], NETWORK)
        assert origin.licence == ("CC0-1.0" if by == CHAIN else "public-domain work, encoding licence not stated")
        assert [used.name for used in origin.models] == [by]
        assert origin.models[0].checkpoint == checkpoint.digest(out / "model" if by == CHAIN else PRETRAINED / by)
        assert origin.made == ("performed" if name.endswith(".wav") else "generated")
        assert by != PARTNER or name.endswith(".wav") or given_abc(origin, out)
    commands = [line.strip() for line in result.stdout.splitlines() if line.startswith("  componium ")]
    assert len(commands) == 4 and all(command in page.replace("&#x27;", "'") for command in commands)
    for command in commands:
        assert run(*shlex.split(command)[1:]).exit_code == 0, command
    assert len(list(out.iterdir())) == len(FILES) + 5 and "Left out" not in result.stdout
    assert read_score(out / "folk-tune-2.mid").note_num() > read_score(out / "tune.abc").note_num()
    check_learned(run, out, page, 3)


def test_the_sung_phrase_glides_and_swings():
    sound, again = singing.sung(3), singing.sung(3)
    assert np.array_equal(sound.samples, again.samples) and sound.loudness_lufs == pytest.approx(-16, abs=0.1)
    assert np.array_equal(sound.samples * 2**23, np.rint(sound.samples * 2**23)) and sound.peak_db < -1
    heard = tracker("causal").track(sound.samples[0], singing.RATE_HZ, hop_samples=singing.STEP)
    wanted, level = singing.curves(3)
    count = min(len(heard.f0_hz), len(wanted))
    sure = (heard.confidence[:count] >= 0.5) & (level[:count] > 0.3)
    off = 100 * (learned.midi(heard.f0_hz)[:count] - wanted[:count])[sure]
    assert sure.mean() > 0.8 and np.median(np.abs(off)) < 1
    between = np.abs(wanted[:count] - np.rint(wanted[:count]))[sure]
    assert (between > 0.1).mean() > 0.2  # a voice is often between the keys of a piano
    assert [pitch for _, _, pitch in singing.phrase()] == [62, 67, 67, 67, 71, 69, 67, 69]


def test_a_curve_in_another_octave_is_drawn_in_the_singers():
    from types import SimpleNamespace

    sung, sure = np.full(50, 67.0), np.arange(50) >= 5
    model = SimpleNamespace(sample_rate_hz=16000, config=SimpleNamespace(hop_samples=320))
    turned = Turned("<violin>", model, SimpleNamespace(seconds=1.0), None, 0.0, 0.1,
                    [(sung, sure), (sung + 12.02, sure)])
    octaves, off = learned.followed(turned)
    assert octaves == 1 and off == pytest.approx(2)
    drawing, _ = tracing.traces(turned)
    assert "&lt;violin&gt;, drawn 1 octave lower" in drawing and "<violin>" not in drawing
    heights = [float(re.search(rf'class="{kind}" d="M1200 (\d+)L', drawing)[1]) for kind in ("sung", "played")]
    assert abs(heights[0] - heights[1]) < 5
    silent = Turned("v", model, turned.sung, None, 0.0, 0.1, [(sung, sure & False), (sung, sure)])
    assert learned.followed(silent) == (0, float("inf")) and 'class="sung" d=""' in tracing.traces(silent)[0]


def check_learned(run, out, page, seed):
    """Check that an instrument plays beside the SoundFont and follows a voice, and that the verbs make the same."""
    for words in ("11 minutes of recordings", "little saxes", "CC0-1.0 (7)", "spectral loss", "5.432", "4,321",
                  "octave_shift=0.0", "adjust=true", "times real time", "cents from the notes", find_soundfont().name):
        assert words in page, words
    sounds = {name: Audio.read(out / f"{name}.wav") for name in LEARNED}
    for name, sound in sounds.items():
        assert sound.loudness_lufs == pytest.approx(-16, abs=0.3) and sound.peak_db < -0.5, name
    origins = {name: read_origin(out / f"{name}.wav") for name in LEARNED}
    assert [[used.model for used in origins[name].models] for name in LEARNED] == [
        [SOLOIST], [SOLOIST_SAMPLED], [], [SOLOIST]]
    assert all((each.made, each.verb, each.seed) == ("performed", "demo", seed) for each in origins.values())
    assert all(given_abc(origins[name], out, "tune.abc") for name in LEARNED[:3])
    given, = origins["transfer"].given
    assert given.file == "sung.wav" and given.sha256 == hashlib.sha256((out / "sung.wav").read_bytes()).hexdigest()
    told = unescape(page[page.index("The same by hand"):].partition("<pre>")[2].partition("</pre>")[0]).splitlines()
    assert len(told) == 4
    for command in told:
        assert run(*shlex.split(command)[1:]).exit_code == 0, command
    for name in ("solo", "solo-soundfont"):
        assert np.array_equal(Audio.read(out / f"{name}-2.wav").samples, sounds[name].samples)
    by_hand = Audio.read(out / "transfer-2.wav").normalise(-16)
    assert np.abs(by_hand.samples - sounds["transfer"].samples).max() < 1e-5


def given_abc(origin, out, name="call.abc"):
    """Tell whether an origin names a file as what a human gave, by its bytes and its music."""
    given, = origin.given
    path = out / name
    return (given.file, given.sha256, given.music) == (
        name, hashlib.sha256(path.read_bytes()).hexdigest(), hash_of_score(read_score(path)))


def test_the_reply_is_that_of_respond_and_both_are_heard_in_order(run, folder, little_corpus, shipped):
    (shipped / SOLOIST).unlink()
    result = run("demo", "--out", "d", "--bars", 2, "--seed", 4)
    assert result.exit_code == 0, result.stderr
    out = folder / "d"
    check_left_out(out, result.stdout)
    call, reply, both = (read_score(out / f"{name}.mid") for name in ("call", "reply", "call-and-reply"))
    assert notes_of(call) == notes_of(duet.call()) == notes_of(read_score(out / "call.abc"))
    for words, name in ([], "reply"), (["--with-call"], "call-and-reply"):
        assert run("respond", PARTNER, out / "call.mid", "--seed", 4, "--out", f"{name}.mid", *words).exit_code == 0
        assert notes_of(read_score(f"{name}.mid")) == notes_of(read_score(out / f"{name}.mid"))
    assert [track.name for track in both.tracks] == ["Call", "Reply"]
    assert notes_of(both) == notes_of(call) + [(16 + start, *rest) for start, *rest in notes_of(reply)]
    assert [track.program for track in both.tracks] == [68, 71]
    sound = Audio.read(out / "call-and-reply.wav")
    first, second = (np.sqrt((sound.samples[:, int(start * sound.sample_rate_hz):int(end * sound.sample_rate_hz)] ** 2)
                             .mean(axis=1)) for start, end in ((0.2, 7.5), (8.8, 16.0)))
    assert min(*first, *second) > 0.01 and first[0] > 1.2 * first[1] and second[1] > 1.2 * second[0]  # left, then right


def check_left_out(out, told):
    """Check that what needs an instrument which is not shipped is left out, and that this is said."""
    page, words = checked_page(out, (*SOLO_FILES, *TURNED_FILES)), "ships no instrument for it: the solo"
    assert words in page and told.count(words) == 1 and SOLOIST not in page.partition("<main>")[0]
    assert sorted(os.listdir(out)) == sorted({*FILES, "model"} - {*SOLO_FILES, *TURNED_FILES})


def test_a_sung_phrase_becomes_a_violin_where_there_is_one(shipped):
    assert (learned.soloist(), learned.turner(), learned.missing()) == (SOLOIST, SOLOIST, "")
    (shipped / "violin").mkdir()
    (shipped / "violin" / "model.json").write_text("{}")
    (shipped / SOLOIST).unlink()
    assert (learned.soloist(), learned.turner()) == ("", "violin")
    assert "the solo" in learned.missing() and "the sung phrase" not in learned.missing()


def notes_of(score):
    return [(note.time, note.duration, note.pitch) for track in score.tracks for note in track.notes]


@pytest.mark.slow
def test_the_demo_replaces_its_own_files_only_and_only_with_force(run, folder, little_corpus):
    (folder / "d").mkdir()
    (folder / "d" / "mine.txt").write_text("mine")
    assert run("demo", "--out", "d", "--bars", 2).exit_code == 0
    before = (folder / "d" / "chorale.mid").read_bytes()
    result = run("demo", "--out", "d", "--bars", 3)
    assert result.exit_code == 1 and "--force" in result.stderr and result.stdout == ""
    assert (folder / "d" / "chorale.mid").read_bytes() == before
    assert run("demo", "--out", "d", "--bars", 3, "--force").exit_code == 0
    assert (folder / "d" / "chorale.mid").read_bytes() != before
    assert (folder / "d" / "mine.txt").read_text() == "mine"


def test_a_demo_that_fails_leaves_nothing(run, folder, little_corpus, monkeypatch):
    monkeypatch.setattr(writing, "page", None)
    assert run("demo", "--out", "d", "--bars", 2).exit_code == 1
    assert os.listdir(folder) == []


@pytest.mark.parametrize(("words", "told"), [
    (["--key", "H"], "'H' is not a key"), (["--key", "G dorian"], "major and minor"), (["--bars", "1"], "--bars"),
])
def test_what_the_demo_cannot_do_is_told_before_the_work(run, folder, little_corpus, words, told):
    result = run("demo", "--out", "d", *words)
    assert result.exit_code != 0 and told in result.stderr and result.stdout == ""


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(run, folder, little_corpus, monkeypatch, there):
    def refuse(**_arguments):
        raise PermissionError(13, "Permission denied")

    if there:
        (folder / "d").mkdir()
    monkeypatch.setattr(writing.tempfile, "TemporaryDirectory", refuse)
    result = run("demo", "--out", "d")
    assert result.exit_code == 1 and "d: cannot be written (Permission denied)" in result.stderr
    assert result.stdout == "" and (folder / "d").exists() == there


@pytest.mark.parametrize(("absent", "told"), [("torch", "neural"), ("music21", "notation"), ("verovio", "notation")])
def test_the_demo_says_what_to_install(run, folder, monkeypatch, absent, told):
    def missing(package, *, extra, purpose):
        if package == absent:
            raise MissingExtra(package, extra, purpose)

    monkeypatch.setattr(writing, "require", missing)
    result = run("demo", "--out", "d")
    assert result.exit_code == 1 and f"pip install 'componium[{told}]'" in result.stderr
    assert result.stdout == "" and not (folder / "d").exists()


def test_the_tune_is_what_people_sing():
    score = tune.melody()
    steps = np.diff([note.pitch for note in score.tracks[0].notes]).tolist()
    first, third = [5, 0, 0, 4, -2, -2, 2, 2], [0, -2, -3, 0, -4, 2, -2, 2, 2]
    assert steps == [*first, -4, 0, 4, 3, 2, *third, -4, -3, 0, -2, 5]  # semitones, the steps between lines included
    assert pickup_beats(score) == 1 and len(bars(score)) == 9 and str(key_signature_of(score)) == tune.KEY
    assert [float(mark.time) for mark in score.markers if mark.text == FERMATA] == [7, 13, 23, 29]
    assert all(60 <= note.pitch <= 79 for note in score.tracks[0].notes)  # a soprano's range


def test_the_call_asks_and_another_tune_is_harmonised():
    score = duet.call()
    steps = np.diff([note.pitch for note in score.tracks[0].notes]).tolist()
    assert steps == [2, 2, -4, 0, 2, 2, -4, 4, 1, 2, -3, 1, 2]
    assert len(bars(score)) == 4 and str(key_signature_of(score)) == "G major" and duet.TITLE != tune.TITLE
    assert seconds_at(score, [score.end()]) == [8]  # the longest that a reply may be


def test_the_rules_that_are_told_are_those_that_are_kept():
    pytest.importorskip("torch")
    from componium.composers.melody import answering

    told = duet.RULES
    assert f"{answering.SHORTEST_SECONDS:.0f} to {answering.LONGEST_SECONDS:.0f} seconds" in told
    assert f"no note over {answering.LONGEST_NOTE_SECONDS:.0f};" in told
    assert f"the last {answering.HEARD_SECONDS:.0f} seconds" in told
    assert "more than four notes, and is 120 otherwise" in told and (FEWEST_NOTES, USUAL_BPM) == (5, 120)


def test_figures_of_replies_are_told_where_a_checkpoint_has_them():
    figures = {"held out loss of 30 pieces": 0.5, "answering, contour in the band, share": 0.7}
    assert duet.figures_text(figures).endswith("measured: answering, contour in the band, share: 0.7.")
    assert duet.figures_text({"held out loss of 30 pieces": 0.5}) == ""


def test_the_harmonised_tune_keeps_the_melody_and_its_rules():
    pytest.importorskip("torch")
    lesson = Lesson(None, None, None)
    work.load_networks(lesson)
    made = work.harmonise(lesson, 5, lambda *_: None)
    given = [(note.time, note.duration, note.pitch) for note in tune.melody().tracks[0].notes]
    assert [(note.time, note.duration, note.pitch) for note in made.tracks[0].notes] == given
    assert [track.name for track in made.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert not violations(to_grid(made), Constraints.parse(tune.RULES))


@pytest.mark.parametrize(("length", "count"), [(2, 16), (8, 16), (12, 10), (64, 2)])
def test_longer_pieces_are_measured_in_smaller_numbers(length, count, tmp_path):
    assert Asked("G minor", length, 0, tmp_path).measured == count


def test_nobody_learned_from_what_both_are_judged_on():
    for package in NEEDS:
        pytest.importorskip(package)
    lesson = work.read_chorales(lambda *_: None)
    work.load_networks(lesson)
    parts = {benchmark_part(item_fingerprints(item)) for item in lesson.held_out}
    assert parts == {"test"} and len(lesson.held_out) > 50
    learned = {item.hash for item in lesson.train} | set(lesson.network.provenance["hashes"])
    assert not learned & {item.hash for item in lesson.held_out}


def test_the_baseline_counts_first_order_transitions():
    train = [np.array([[60, 48], [60, 48], [62, 50]], np.int16)]
    told = baseline.first_order(train, [np.array([[60, 48], [62, 50]], np.int16)])
    first, second = np.log(48 / 2), np.log(49 / 2)  # of 47 counts of one: the beginning once, and 60 twice, left
    assert told == pytest.approx((first + second) / 2)
    assert baseline.first_order(train, [np.full((1, 2), -1, np.int16)]) == pytest.approx(np.log(48))
    assert pytest.approx(3.850, abs=1e-3) == baseline.UNIFORM_NATS


@pytest.mark.slow
def test_the_real_demo_is_done_in_time_and_sounds(start, folder):
    for package in NEEDS:
        pytest.importorskip(package)
    before = os.times()[2:4]
    process = start("demo", "--out", "demo", "--key", "G minor")
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    spent = np.subtract(os.times()[2:4], before)  # processor time: other work on the computer does not count
    assert re.search(r"Done in (\d+) s", out) and spent.sum() < 60
    left_out = [name for name in (*SOLO_FILES, *TURNED_FILES) if not (folder / "demo" / name).exists()]
    page = checked_page(folder / "demo", left_out)
    assert (left_out == []) == (SOLOIST in registry.shipped())
    if not left_out:
        assert all(float(cents) < 15 for cents in re.findall(r"([\d.]+) cents from", page))
    assert "public-domain work, encoding licence not stated" in page
    header = json.loads((folder / "demo" / "model" / "model.json").read_text(encoding="utf-8"))
    assert header["provenance"]["pieces"] > 150
    piece = read_score(folder / "demo" / "markov.mid")
    assert len(bars(piece)) == 8 and len(piece.tracks) == 4 and str(key_of(piece)[0]) == "G minor"
    piece = read_score(folder / "demo" / "chorale.mid")
    assert len(bars(piece)) == 8 and str(key_signature_of(piece)) == "G minor"
    assert not violations(to_grid(piece), Constraints.parse("end: cadence authentic in G minor"))
    scores = table_of(page, ">model<")
    assert float(scores[NETWORK][0]) < 0.6 > float(scores[CHAIN][0])
    for stem in [name for name in (*SHOWN, *LEARNED) if f"{name}.wav" not in left_out]:
        sound = Audio.read(folder / "demo" / f"{stem}.wav")
        assert sound.loudness_lufs == pytest.approx(-16, abs=0.3) and sound.peak_db <= -0.9


@pytest.mark.browser
def test_the_page_plays_and_follows_in_score_and_roll(run, folder, little_corpus, browse):
    assert run("demo", "--out", "d", "--bars", 4).exit_code == 0
    with browse(folder / "d" / "index.html", width=390, height=800) as page:
        for anchor in ("t1", "t2", "t4"):
            page.evaluate(f"document.querySelector('#{anchor} .sheet').scrollIntoView()")
            page.wait_for_function(f"() => player.takes.get('{anchor}').notes.length > 0")
            page.locator(f"#{anchor} .plot.roll").scroll_into_view_if_needed()
            box = page.locator(f"#{anchor} .plot.roll").bounding_box()
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
            page.wait_for_function(f"""() => document.querySelector('#{anchor} .roll .on')
              && document.querySelector('#{anchor} .sheet .on')""")
            page.evaluate("player.pause()")
            now, left, spans = page.evaluate(f"""[player.audio.currentTime,
              parseFloat(document.querySelector("#{anchor} .extra .playhead").style.left),
              [...document.querySelectorAll("#{anchor} .on")].map(e => [+e.dataset.s, +e.dataset.e])]""")
            assert 45 < left < 60 and len(spans) >= 6 and all(start <= now < end for start, end in spans)
        for voice, other in (0, 1), (1, 0):  # the call is heard first, then its reply
            page.evaluate("document.querySelector('#t3 .sheet').scrollIntoView()")
            page.wait_for_function("() => player.takes.get('t3').notes.length > 0")
            note = page.locator(f"#t3 .roll .v{voice} rect").first
            note.scroll_into_view_if_needed()
            note.click()
            page.wait_for_function(f"""() => document.querySelector('#t3 .roll .v{voice} .on')
              && document.querySelector('#t3 .sheet .on')""")
            page.evaluate("player.pause()")
            assert not page.locator(f"#t3 .roll .v{other} .on").count()
            assert (page.evaluate("player.audio.currentTime") > 7.5) == bool(voice)
        for here, there in (("t5", "t6"), ("t6", "t5"), ("t7", "t8")):  # the other take, at the place that is heard
            page.evaluate(f"player.pause(); player.seek(player.takes.get('{here}'), 3)")
            page.evaluate(f"player.play(player.takes.get('{here}'))")
            page.wait_for_function("() => !player.audio.paused && player.audio.currentTime > 3")
            page.locator(f"#{here} button.switch").click()
            page.wait_for_function(f"""() => player.current.card.id === '{there}' && !player.audio.paused
              && player.audio.currentTime > 3 && player.audio.currentTime < 7""")
        page.evaluate("player.pause()")
        for button in page.locator("button.play").all():
            button.click()
            page.wait_for_function("() => !player.audio.paused && player.audio.currentTime > 0")
            button.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert not page.troubles and not [url for url in page.asked[1:] if not url.startswith("data:")]
