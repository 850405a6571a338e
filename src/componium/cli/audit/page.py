"""The page of an audit: duplicates side by side, outliers with what is unlike the others, the rest as a table, and a
box to tick on each; the ticks are saved from the page as a file of marks.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path

from componium.cli import pages
from componium.cli.audit.audited import ALIKE, SETTING, Audited, percent, summary
from componium.cli.audit.piece import clean, figures_of, row, takes_of, title_of
from componium.cli.pages import Column, Piece, Take, cards, command, paragraphs, section
from componium.cli.show import Progress, counted, quoted
from componium.evaluation.outliers import spoken
from componium.evaluation.sound_copies import SAME
from componium.music.duplicates import NEAR
from componium.music.item import Item, Skipped
from componium.music.licences import licence_class
from componium.music.marks import HASH_DIGITS, MARKS_NAME, Mark, mark_of


@dataclasses.dataclass(frozen=True)
class Audit:
    """What the page shows.

    Attributes:
        source: NAME_OR_PATH as the user wrote it.
        name: of the corpus.
        items: what was found, in the order to show.
        shown: how many get a score and a sound.
        skipped: what was left out when the corpus was opened.
        remarks: of the corpus.
        marks: those that exist already.
        folder: where `MARKS_NAME` is found by itself; none for a file and for a built-in corpus.
        accept_licence: whether the corpus needs that flag.
    """

    source: str
    name: str
    items: Sequence[Audited]
    shown: int
    skipped: Sequence[Skipped] = ()
    remarks: Sequence[str] = ()
    marks: Sequence[Mark] = ()
    folder: Path | None = None
    accept_licence: bool = False


def page(audit: Audit, *, sounds_to: Path, sounds_at: str, progress: Progress) -> str:
    """Write the sounds into a folder and return the page as HTML."""
    count = _shown(audit)
    pieces = [row(number, audited) for number, audited in enumerate(audit.items)]
    takes = takes_of(audit.source, audit.items, pieces[:count], sounds_to, sounds_at, progress)
    body = _filters(audit) + "".join(_tables(audit, pieces, takes))
    body += "".join(_cards(audit, takes)) + _left_out(audit) + _how(audit) + _panel(audit)
    return pages.document(f"Audit of {clean(audit.name)}", body, lead=_lead(audit, count), takes=takes,
                    foot=_foot(audit),
                    style=_part("page.css"), script=_part("page.js"))


def mark_for(item: Item) -> Mark:
    """Return the mark of an item; by the hash alone where its name would be no name in a file of marks."""
    mark = mark_of(item)
    unsafe = mark.name.startswith("#") or mark.name in ("-", "") or clean(mark.name) != mark.name
    return dataclasses.replace(mark, name="") if unsafe else mark


def _shown(audit: Audit) -> int:
    """Return how many items get a card: no more than wanted, and no part of a group of duplicates alone."""
    count = min(audit.shown, len(audit.items))
    if 0 < count < len(audit.items) and (family := audit.items[count].family) >= 0:
        while count and audit.items[count - 1].family == family:
            count -= 1
        if not count:  # one large group is all there is room for
            return min(audit.shown, len(audit.items))
    return count


def _tables(audit: Audit, pieces: Sequence[Piece], takes: Sequence[Take]) -> Iterator[str]:
    """Yield a table of all items; of a mixed corpus one of the scores and one of the recordings."""
    kinds = sorted({audited.item.kind for audited in audit.items}, reverse=True)
    for kind in kinds:
        of_kind = [place for place, audited in enumerate(audit.items) if audited.item.kind == kind]
        heading = "Items" if len(kinds) == 1 else {"score": "Scores", "audio": "Recordings"}[kind]
        columns = _columns([audit.items[place] for place in of_kind])
        table = pages.overview([takes[place] for place in of_kind if place < len(takes)], columns, label=heading,
                               others=[pieces[place] for place in of_kind if place >= len(takes)])
        yield section(f"All {heading.lower()}", f'<div class="{kind}s"{_width(columns)}>{table}</div>')


def _columns(items: Sequence[Audited]) -> list[Column]:
    """Return the columns of items of one kind."""
    columns = [Column("why", "Why it stands out")]
    if any(not audited.trouble and title_of(audited.item) for audited in items):
        columns.append(Column("title", "Title"))
    columns += [Column(figure.name, spoken(figure).capitalize(), f"{figure.help} ({figure.unit})", figure.decimals)
                for figure in figures_of(items[0].item.kind)]
    classes = {licence_class(audited.item.licence) for audited in items}
    return [*columns, Column("class", "Licence class")] if len(classes) > 1 else columns


def _foot(audit: Audit) -> str:
    together = any(audited.item.kind == "score" for audited in audit.items)
    return f"{'Page and sounds belong together; nothing' if together else 'Nothing'} is loaded from any network."


def _cards(audit: Audit, takes: Sequence[Take]) -> Iterator[str]:
    """Yield the sections of cards: groups of duplicates, what stands out, and the rest."""
    shown = list(zip(audit.items, takes, strict=False))
    sure = [pair for pair in shown if pair[0].family >= 0 and pair[0].sure]
    if sure:
        kinds = {audited.item.kind for audited, _ in sure}
        yield section("Duplicates", paragraphs(*(text for kind, text in _DUPLICATES.items() if kind in kinds)),
                      *_families(audit, sure))
    alone = [pair for pair in shown if pair[0].family < 0]
    out = [take for audited, take in alone if audited.trouble or audited.findings]
    if out:
        yield section("Outliers", paragraphs("Unlike the others, the farthest first; each says by which figure. An "
                                             "outlier may be the best piece of all: look, listen, decide."), cards(out))
    perhaps = [pair for pair in shown if pair[0].family >= 0 and not pair[0].sure]
    if perhaps:
        yield section("Perhaps duplicates", paragraphs(
            "Less alike, and worth a look: variants, tunes of one family, two that share a phrase, or one melody with "
            "other voices to it."), *_families(audit, perhaps))
    rest = [take for audited, take in alone if not (audited.trouble or audited.findings)]
    if rest:
        yield section("The rest", cards(rest))


def _families(audit: Audit, shown: Sequence[tuple[Audited, Take]]) -> Iterator[str]:
    """Yield each group of what is alike, side by side."""
    for number, group in groupby(shown, key=lambda pair: pair[0].family):
        members = list(group)
        whole = sum(audited.family == number for audited in audit.items)
        most = max(similarity for audited, _ in members for _, similarity in audited.twins[:1])
        how = f"up to {percent(most)} alike" if most >= ALIKE else "settings of one melody"
        hidden = f"; {whole - len(members)} of them are in the table only" if whole > len(members) else ""
        yield (f'<div class="family"><p>{counted(whole, "item")}, {how}{hidden}.</p>'
               f"{cards([take for _, take in members])}</div>\n")


_DUPLICATES = {
    "score": "The same music in another file, key or version. The percentage is the share of all runs of five "
             f"intervals that both have: from {percent(NEAR)} on it is the same tune. Of pieces in several voices, "
             "the melodies and the other voices are compared, and the lower figure is told.",
    "audio": "Recordings with the same samples (100 %), then near-duplicates: the same sound in another format, at "
             "another rate or level, or with another beginning. The percentage is the share of the energy in which "
             f"they agree, from {percent(SAME)} on.",
}


def _lead(audit: Audit, count: int) -> str:
    shown = "All are" if count == len(audit.items) else f"The first {count:,} are" if count else "None is"
    scores = any(audited.item.kind == "score" for audited in audit.items)
    recordings = any(audited.item.kind == "audio" for audited in audit.items)
    what = {(True, False): "score", (True, True): "score or waveform"}.get((scores, recordings), "waveform")
    return (f"{summary(audit.items)}. {shown} shown with {what} and sound. Tick what "
            f"is to be left out, and save the list below as {MARKS_NAME}.")


def _filters(audit: Audit) -> str:
    if len(audit.items) < 2:
        return ""
    only = [("", "All"), ("duplicate", "Duplicates"), ("outlier", "Outliers"), ("marked", "Marked")]
    only[2:2] = [(SETTING, "Settings")] if any(SETTING in audited.why() for audited in audit.items) else []
    return '<div class="only">' + "".join(f'<button type="button" data-only="{word}">{text}</button>'
                                          for word, text in only) + "</div>"


def _left_out(audit: Audit) -> str:
    if not audit.skipped and not audit.remarks:
        return ""
    rows = [[clean(skipped.name), clean(skipped.reason)] for skipped in audit.skipped]
    listed = pages.table(("Name", "Why"), rows, sortable=True) if rows else ""
    few = " open" if len(rows) <= 20 else ""
    listed = f"<details{few}><summary>{counted(len(rows), 'name')}</summary>{listed}</details>" if rows else ""
    return section("Not in the corpus", paragraphs(
        "What was found and left out when the corpus was opened.", *map(clean, audit.remarks)), listed)


def _how(audit: Audit) -> str:
    """Return where the file of marks goes."""
    scores = any(audited.item.kind == "score" for audited in audit.items)
    model = "markov" if scores else "ddsp"
    words = ["componium", "train", model, audit.source, *(["--accept-licence"] if audit.accept_licence else [])]
    out = ["--out", f"my.{model}"]
    typed = [" ".join(map(quoted, each)) for each in ([*words, *out], [*words, "--exclude", MARKS_NAME, *out])]
    if audit.folder is None:
        return section("Where the list goes", paragraphs(
            f"Keep {MARKS_NAME} where you like, and name it to the commands that read this corpus:"),
            command(clean(typed[1])))
    return section(
        "Where the list goes",
        paragraphs(f"Put {MARKS_NAME} into the folder {clean(str(audit.folder))}. Every command that reads the folder "
                   "then leaves these items out, this one too: it shows them ticked."),
        command(clean(typed[0])), paragraphs("Or keep it elsewhere, and name it:"), command(clean(typed[1])))


def _panel(audit: Audit) -> str:
    """Return the bar at the foot of the window with the list of marks, and the data behind it."""
    marked: dict[str, str] = {}
    used: set[Mark] = set()
    items = []
    for number, audited in enumerate(audit.items):
        mark = mark_for(audited.item)
        items.append([mark.name, mark.hash, clean(audited.reason()), clean(audited.item.name)])
        hits = [each for each in audit.marks if each.hits(audited.item)]
        used.update(hits)
        if hits:
            marked[str(number)] = hits[0].reason
    others = [[each.name, each.hash[:HASH_DIGITS], each.reason, each.name or each.hash] for each in
              dict.fromkeys(audit.marks) if each not in used]
    marked |= {f"o{number}": other[2] for number, other in enumerate(others)}
    of = " ".join(clean(audit.source).split())
    first = f"# Items to be left out of {of}: name, tab, start of the content hash, tab, # reason"
    data = {"first": first, "file": MARKS_NAME, "items": items, "others": others, "marked": list(marked.items())}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return (
        '<aside class="marks" aria-label="Marked items"><div><span class="told" role="status">0 items marked</span>'
        f'<button type="button" class="save">Save {MARKS_NAME}</button>'
        '<button type="button" class="copy">Copy to clipboard</button><span class="unsure">not saved yet</span>'
        '<span class="said" role="status"></span><details><summary>Show the list</summary><ol></ol><pre></pre>'
        f'</details></div></aside><script type="application/json" id="marking">{text}</script>\n')


def _width(columns: Sequence[Column]) -> str:
    """Return the widths of the table: columns of a fixed width are laid out much faster where rows are thousands."""
    titled = any(column.name == "title" for column in columns)
    told = " titled" if titled else ""
    return f' data-columns="{len(columns)}{told}" style="--least:{34 + 5 * titled + 7 * (len(columns) - 1)}rem"'


def _part(name: str) -> str:
    return resources.files("componium.cli.audit").joinpath(name).read_text(encoding="utf-8")
