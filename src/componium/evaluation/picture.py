"""A picture of distances: one row a measure, with the floor and the ceiling marked, for one set or several."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from componium.evaluation.distance import Distance
from componium.music.errors import BadInput
from componium.music.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6A3D9A", "#7F7F7F")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINEAR_TO = 1.0
"""The axis is linear up to here, and logarithmic beyond: ceilings reach from 0.2 to 50."""
ROW_INCHES = 0.2
GAP_ROWS = 1.0


def distances_picture(sets: Mapping[str, Sequence[tuple[str, Distance]]],
                      path: str | os.PathLike[str] | None = None, *, title: str = "") -> bytes:
    """Draw distances as a PNG.

    Args:
        sets: name of a judged set -> (module, distance) of its measures; all sets have the same measures.
        path: where to write it; none = only return it.
        title: a line above.

    Raises:
        BadInput: there is nothing to draw.
        BadFile: the file cannot be written.
    """
    known = {each.measure.name for those in sets.values() for _, each in those if each.distance is not None}
    sets = {name: [(module, each) for module, each in those if each.measure.name in known]
            for name, those in sets.items()}
    shared = list(dict.fromkeys((module, each.measure.name) for those in sets.values() for module, each in those))
    if not shared:
        raise BadInput("there are no distances to draw")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = _places(shared)
    height = 1.6 + ROW_INCHES * (max(rows.values()) + 2)
    figure = Figure(figsize=(9.0, height), dpi=120)
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.33, right=0.97, top=1.0 - 0.85 / height, bottom=0.65 / height)
    axes = figure.add_subplot()
    for number, (name, those) in enumerate(sets.items()):
        _draw(axes, those, rows, number, name, len(sets))
    _label(axes, rows, title)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": "Componium"})
    if path is not None:
        with replacing(path) as temporary:
            temporary.write_bytes(stream.getvalue())
    return stream.getvalue()


def _places(shared: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Return the height of each row; a gap between modules."""
    rows, place, before = {}, 0.0, ""
    for module, name in shared:
        place += GAP_ROWS if before and module != before else 0.0
        rows[module, name], before, place = place, module, place + 1.0
    return rows


def _draw(axes: Axes, those: Sequence[tuple[str, Distance]], rows: Mapping[tuple[str, str], float], number: int,
          name: str, count: int) -> None:
    """Draw one set; floor and ceiling are drawn with each, as they depend on how many pieces it has."""
    shift = 0.0 if count == 1 else 0.6 * (number / (count - 1) - 0.5)
    colour = COLOURS[number % len(COLOURS)]
    first = number == 0
    for module, each in those:
        y = rows[module, each.measure.name] + shift
        if each.floor_low is not None and each.floor_high is not None:
            axes.barh(y, each.floor_high - each.floor_low, left=each.floor_low, height=0.8 / count, color="#BBBBBB",
                      label="floor: the reference against itself" if first else "", zorder=1)
            first = False
        if each.ceiling is not None:
            axes.plot([each.ceiling] * 2, [y - 0.4 / count, y + 0.4 / count], color="#000000", linewidth=1.5, zorder=2)
        if each.distance is not None:
            axes.plot(each.distance, y, MARKS[number % len(MARKS)], color=colour, markersize=5, zorder=3)
    axes.plot([], [], MARKS[number % len(MARKS)], color=colour, label=name, markersize=5)
    if number == count - 1:
        axes.plot([], [], color="#000000", linewidth=1.5, label="ceiling: the reference shuffled")


def _label(axes: Axes, rows: Mapping[tuple[str, str], float], title: str) -> None:
    axes.set_yticks(list(rows.values()), [name.replace("_", " ") for _, name in rows])
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.tick_params(axis="x", labelsize=8)
    for module in dict.fromkeys(module for module, _ in rows):
        top = min(place for (mine, _), place in rows.items() if mine == module)
        axes.text(-0.46, top, module, transform=axes.get_yaxis_transform(), fontsize=9, fontweight="bold", va="center")
    axes.set_ylim(max(rows.values()) + 1.0, -1.0)
    axes.set_xscale("symlog", linthresh=LINEAR_TO)
    axes.set_xlim(left=0.0)
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0, *(t for t in (2.0, 5.0, 10.0, 20.0, 50.0, 100.0) if t <= axes.get_xlim()[1])]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("distance from the reference, in its standard deviations", fontsize=9)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if title:
        axes.set_title(title, fontsize=10, loc="left", pad=30, x=-0.46)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.48, 1.0), ncols=3, fontsize=8, frameon=False, borderaxespad=0.2)
