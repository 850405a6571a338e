"""The check of exercise 1 of lesson 01: compares an answer with the right one and with the usual wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.lessons.verdict import Wrong, numbers

Floats = npt.NDArray[np.float64]

TUNE = [67, 69, 71, 67, 67, 69, 71, 67, 71, 72, 74, 71, 72, 74, 74, 76, 74, 72, 71, 67, 67, 62]
"""Most of a round; its last note comes nowhere else, so that nothing follows it. Each usual mistake gives another
matrix."""


def contexts_of(pitches: Sequence[int], order: int) -> list[tuple[int, ...]]:
    """Return the rows: every run of ``order`` notes, once, sorted."""
    return sorted({tuple(pitches[i:i + order]) for i in range(len(pitches) - order + 1)})


def counts_of(pitches: Sequence[int], order: int, *, first: int = 0, last: int = 0, ahead: int = 0) -> Floats:
    """Return how often each note followed each context [contexts, notes].

    Args:
        pitches: the melody.
        order: notes in a context.
        first: transitions left out at the beginning.
        last: transitions left out at the end.
        ahead: how much further on than the next note the counted one is.
    """
    contexts, notes = contexts_of(pitches, order), sorted(set(pitches))
    counts = np.zeros((len(contexts), len(notes)))
    for start in range(first, len(pitches) - order - last - max(ahead, 0)):
        row = contexts.index(tuple(pitches[start:start + order]))
        counts[row, notes.index(pitches[start + order + ahead])] += 1
    return counts


def rows_of(counts: Floats, pitches: Sequence[int]) -> Floats:
    """Return counts as probabilities; a row without any becomes the shares of the notes in the melody."""
    shares = np.array([list(pitches).count(note) for note in sorted(set(pitches))], dtype=float)
    filled = np.where(counts.sum(axis=1, keepdims=True) > 0, counts, shares)
    return np.asarray(filled / filled.sum(axis=1, keepdims=True))


def check(transition_matrix: Callable[[list[int], int], Any]) -> None:
    """Check ``transition_matrix(pitches, order)``."""
    given = list(TUNE)
    for order in (1, 2, 3):
        _check_matrix(transition_matrix(given, order), TUNE, order)
        if given != TUNE:
            raise Wrong("Your function changes the list `pitches` that it is given. Work on a copy, or only read it.")
    other = [60, 62, 64, 62] * 6 + [60]
    for order in (1, 4):
        _check_matrix(transition_matrix(list(other), order), other, order)


def _check_matrix(answer: Any, pitches: list[int], order: int) -> None:
    matrix = _as_matrix(answer, pitches, order)
    counts = counts_of(pitches, order)
    right, ends = rows_of(counts, pitches), counts.sum(axis=1) == 0
    if matrix.shape == right.shape and np.allclose(matrix, right, atol=1e-6):
        return
    _check_shape(matrix, right, order)
    if right.shape[0] == right.shape[1] and np.allclose(matrix, right.T):
        raise Wrong("Rows and columns are exchanged: a row for each context, a column for each next note.")
    live = ~ends
    _check_scale(matrix, counts, live, order)
    for wrong, message in _known_mistakes(pitches, order):
        if np.allclose(matrix[live], wrong[live], atol=1e-6) and not np.allclose(wrong[live], right[live]):
            raise Wrong(message)
    if np.allclose(matrix[live], right[live], atol=1e-6):
        _tell_dead_end(matrix, right, ends, pitches, order)
    _tell_row(matrix, right, pitches, order)


def _as_matrix(answer: Any, pitches: Sequence[int], order: int) -> Floats:
    if answer is None:
        raise Wrong("`transition_matrix` returns nothing. Does it end with `return`?")
    try:
        matrix = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise Wrong(f"`transition_matrix` has to return an array of numbers, not {type(answer).__name__}.") from None
    if matrix.ndim != 2:
        raise Wrong(f"The matrix has to have two dimensions, contexts and notes; yours has {matrix.ndim}. "
                    f"(Called with {len(pitches)} notes and order {order}.)")
    return matrix


def _check_shape(matrix: Floats, right: Floats, order: int) -> None:
    if matrix.shape == right.shape:
        return
    rows, columns = right.shape
    told = f"With order {order} the matrix should be {rows} x {columns} (contexts x notes), and yours is " \
           f"{matrix.shape[0]} x {matrix.shape[1]}. "
    if matrix.shape == (columns, rows):
        told += "Rows and columns are exchanged: a row for each context, a column for each note."
    elif matrix.shape == (columns, columns) and order > 1:
        told += "It looks as if `order` was not used: a row is a run of `order` notes, not one note."
    elif matrix.shape == (rows - 1, columns):
        told += "One row is missing: the notes at the very end are a context too, although nothing follows them."
    else:
        told += "`contexts_of(pitches, order)` lists the rows."
    raise Wrong(told)


def _check_scale(matrix: Floats, counts: Floats, live: npt.NDArray[np.bool_], order: int) -> None:
    """Tell of the ways to miss that each row sums to one."""
    here, known = matrix[live], counts[live]
    if np.isnan(here).any() or np.isinf(here).any():
        raise Wrong("There are values in the matrix that are not numbers (NaN or infinity), and not only where a "
                    "context is never followed. NaN comes from dividing 0 by 0: by what do you divide?")
    if not here.any():
        raise Wrong("The matrix holds only zeros. Are the counts added to it, or lost when they become whole numbers?")
    if np.allclose(here, known):
        raise Wrong("These are counts, not probabilities: divide each row by its sum, so that it sums to 1.")
    columns = np.divide(counts, counts.sum(axis=0), out=np.zeros_like(counts), where=counts.sum(axis=0) > 0)
    if np.allclose(here, columns[live]):
        raise Wrong("Each column sums to 1, but each row has to: a row says what follows one context. Sum with "
                    "`axis=1` and `keepdims=True` before you divide.")
    if np.allclose(here, known / counts.sum()):
        raise Wrong("The whole matrix sums to 1, but each row has to: divide each row by its own sum.")
    whole = known // known.sum(axis=1, keepdims=True)
    if np.allclose(here, whole):
        raise Wrong("Every value is 0 or 1: the shares were cut down to whole numbers. Divide with `/`, not `//`, and "
                    "keep the result in an array of floats.")
    if (here < -1e-9).any():
        raise Wrong("There are probabilities below 0 in the matrix.")
    if not np.allclose(here.sum(axis=1), 1.0, atol=1e-6) and not _near_miss(here, known):
        row = int(np.argmax(np.abs(here.sum(axis=1) - 1.0)))
        raise Wrong(f"Each row has to sum to 1; with order {order} one of yours sums to {here[row].sum():.3g}.")


def _near_miss(here: Floats, known: Floats) -> bool:
    """Say whether rows are right but for some that lost their only transition: told as a mistake in counting."""
    sums = here.sum(axis=1)
    return bool(np.all(np.isclose(sums, 1.0) | (np.isclose(sums, 0.0) & (known.sum(axis=1) <= 1))))


def _known_mistakes(pitches: list[int], order: int) -> list[tuple[Floats, str]]:
    """Return matrices that usual mistakes in counting give, with what to say of each."""
    missed = "goes over the melody one step too few: the {} transition of the melody is not counted. A melody of N " \
             "notes has N - order transitions."
    found = [
        (counts_of(pitches, order, last=1), "Your loop " + missed.format("last")),
        (counts_of(pitches, order, first=1), "Your loop " + missed.format("first")),
        (counts_of(pitches, order, ahead=-1), "You count the last note of the context itself, not the note after it: "
                                              "what follows `pitches[i:i + order]` is `pitches[i + order]`."),
        (counts_of(pitches, order, ahead=1), "You skip a note: what follows `pitches[i:i + order]` is "
                                             "`pitches[i + order]`, not the one after that."),
        (_backwards(pitches, order), "The melody runs backwards: you count what came before a context, not what "
                                     "follows it."),
        (_around(pitches, order), "You let the end of the melody run on into its beginning. The last notes have "
                                  "nothing after them (with a negative index Python counts from the end)."),
        ((counts_of(pitches, order) > 0).astype(float), "You note only whether a transition occurs, not how often: "
                                                        "add 1 each time (`+= 1`, not `= 1`)."),
        (counts_of(pitches, order) + 1, "Every note can follow every context in your matrix: are the counts begun with "
                                        "1 instead of 0? Here, what was never heard has probability 0."),
    ]
    return [(rows_of(counts, pitches), message) for counts, message in found] + [
        (_unfilled(counts_of(pitches, order, last=1)), "Your loop " + missed.format("last")),
        (_unfilled(counts_of(pitches, order, first=1)), "Your loop " + missed.format("first"))]


def _unfilled(counts: Floats) -> Floats:
    sums = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)


def _backwards(pitches: Sequence[int], order: int) -> Floats:
    contexts, notes = contexts_of(pitches, order), sorted(set(pitches))
    counts = np.zeros((len(contexts), len(notes)))
    for start in range(1, len(pitches) - order + 1):
        counts[contexts.index(tuple(pitches[start:start + order])), notes.index(pitches[start - 1])] += 1
    return counts


def _around(pitches: Sequence[int], order: int) -> Floats:
    counts = counts_of(pitches, order)
    contexts, notes = contexts_of(pitches, order), sorted(set(pitches))
    counts[contexts.index(tuple(pitches[-order:])), notes.index(pitches[0])] += 1
    return counts


def _tell_dead_end(matrix: Floats, right: Floats, ends: npt.NDArray[np.bool_], pitches: Sequence[int],
                   order: int) -> None:
    row = matrix[ends][0]
    end = _shown(contexts_of(pitches, order)[int(np.argmax(ends))])
    wanted = f"Where nothing follows a context, the row is the share of each note in the whole melody: " \
             f"{numbers(right[ends][0])} here."
    if np.isnan(row).any() or np.isinf(row).any():
        raise Wrong(f"Nothing ever follows {end}: it is a dead end. Its counts sum to 0, and dividing by 0 gave NaN. "
                    f"{wanted}")
    if not row.any():
        raise Wrong(f"Nothing ever follows {end}: it is a dead end. Its row is all zeros, and no note can be drawn "
                    f"from it. {wanted}")
    if np.allclose(row, 1 / len(row)):
        raise Wrong(f"Nothing ever follows {end}: it is a dead end. You make all notes equally likely there. {wanted}")
    raise Wrong(f"Nothing ever follows {end}: it is a dead end. Your row for it is {numbers(row)}. {wanted}")


def _tell_row(matrix: Floats, right: Floats, pitches: Sequence[int], order: int) -> None:
    row = int(np.argmax(np.abs(np.nan_to_num(matrix) - right).max(axis=1)))
    context = contexts_of(pitches, order)[row]
    raise Wrong(f"With order {order}, the row for {_shown(context)} should be {numbers(right[row])} (columns: "
                f"{', '.join(map(str, sorted(set(pitches))))}), and yours is {numbers(matrix[row])}. The melody is "
                f"{' '.join(map(str, pitches))}.")


def _shown(context: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, context))})" if len(context) > 1 else str(context[0])
