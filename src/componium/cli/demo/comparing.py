"""The demo's tables: how well both models foresee chorales by Bach, and how their own compare with his."""

from __future__ import annotations

from componium.cli.demo import baseline
from componium.cli.demo.page import Comparison
from componium.cli.demo.plan import BARS_A_PHRASE, CHAIN, NETWORK, Asked, Lesson, Works

SHOWN = ("faults_per_interval", "parallel_fifths", "parallel_octaves", "direct_fifths_and_octaves", "voice_overlap",
         "voice_crossing", "forbidden_leaps", "unresolved_leading_notes", "unresolved_sevenths",
         "untreated_dissonances", "cadences", "authentic_cadences", "clear_chords", "diatonic_chords",
         "strong_progressions", "harmonic_rhythm")
"""The measures that the page shows, of those in `evaluation.harmonising_report.Music`."""


def foresight(lesson: Lesson) -> Comparison:
    """Return the table of nats per token: both models and two baselines on the same chorales."""
    report = lesson.reports[NETWORK]
    every = f"{report.all_pieces.pieces} held-out chorales, {report.all_pieces.tokens:,} tokens"
    rows: list[tuple[str, str, str, str]] = []
    for name in (NETWORK, CHAIN):
        told = lesson.reports[name]
        rows.append((name, f"{told.all_pieces.token_mean:.3f}", f"{told.all_pieces.nats_per_onset:.3f}", every))
        if told.leak_free and told.overlap.siblings:
            rows.append((name, f"{told.leak_free.token_mean:.3f}", f"{told.leak_free.nats_per_onset:.3f}",
                         f"the {told.leak_free.pieces} of them whose melody it has never met"))
    rows += [("first-order chain, one a voice", f"{lesson.first_order_nats:.3f}", "", every),
             ("knowing nothing: 47 symbols alike", f"{baseline.UNIFORM_NATS:.3f}", "", "any")]
    return Comparison(_foresight_text(lesson), ("model", "nats per token", "nats per onset", "measured on"), rows,
                      f"Protocol JSB-16/tok: {report.protocol_text}; token mean, no transposition. The pieces are "
                      "this corpus's editions of the benchmark's test chorales and their siblings, not the benchmark's "
                      "own files, so the figures may not be compared with published ones.", (1, 2))


def _foresight_text(lesson: Lesson) -> list[str]:
    text = ("How surprised is each model by chorales of Bach's that it has never seen? Nats per token tell: 0 would be "
            "perfect foresight, and lower is better.")
    related = max(len(report.overlap.siblings) for report in lesson.reports.values())
    if related:
        text += (f" Bach set many tunes more than once: {related} of the {lesson.reports[CHAIN].all_pieces.pieces} "
                 "have a melody that the models met in another setting, so the figures without these are given too.")
    return [text]


def music(works: Works, asked: Asked, lesson: Lesson) -> Comparison:
    """Return the table of what the models compose, beside Bach's own chorales."""
    from componium.evaluation.harmonising_report import Music

    names = ("Bach", NETWORK, CHAIN)
    rows = [(label, *(_shown(works.music[name].values[measure], decimals) for name in names))
            for measure, label, decimals in Music.MEASURES if measure in SHOWN]
    count = asked.measured
    pieces = "1 chorale" if count == 1 else f"{count} chorales"
    seeds = f"seed {asked.seed}" if count == 1 else f"seeds {asked.seed} to {asked.seed + count - 1}"
    composed = f"of {asked.bars} bars, in {asked.key}, {seeds}"
    return Comparison(
        [f"And what do they compose? Both wrote {pieces} {composed}; the first is the one above. Beside them stand "
         f"the {len(lesson.held_out)} held-out chorales by Bach, in all keys and lengths. His figures are the mark to "
         "aim at, and not 0.",
         f"What each is made to do differs: {CHAIN} keeps to the scale and closes every phrase with a cadence; "
         f"{NETWORK} closes the last one so, and is otherwise only told where the fermatas are, every {BARS_A_PHRASE} "
         "bars. Both are set to avoid parallel fifths and octaves; what slips through is counted here."],
        ("measure (mean over pieces)", "Bach", NETWORK, CHAIN), rows,
        f"{count} short {'piece is' if count == 1 else 'pieces are'} little: figures of other seeds differ. "
        "'componium compare' measures more, with intervals.", (1, 2, 3))


def _shown(value: float, decimals: int) -> str | None:
    return f"{value:.{decimals}f}" if value == value else None  # NaN: no piece has the measure
