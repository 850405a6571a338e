"""How far a share of right answers may be trusted: the exact binomial interval.

C. J. Clopper, E. S. Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial,
Biometrika 26 (1934). The interval holds the true share at least as often as its level says, however few the
answers are.
"""

from __future__ import annotations

from componium.music.errors import BadInput


def interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) interval of a share, each in 0..1; (0, 1) where nothing was tried.

    Raises `BadInput` for impossible counts, and for a level outside 0..1.
    """
    if trials < 0 or not 0 <= successes <= trials:
        raise BadInput(f"{successes} of {trials} is no share: give 0 or more trials, and 0 to as many successes")
    if not 0.0 < level < 1.0:
        raise BadInput(f"level={level}: give a number between 0 and 1, such as 0.95")
    return _limits(float(successes), float(trials), level)


def answers_needed(successes: int, trials: int, half_width: float = 0.05, level: float = 0.95) -> int:
    """Return how many more answers are needed until the interval reaches ``half_width`` either way at most.

    It is assumed that the share stays as it is; before the first answer, that it is a half, which needs most.
    """
    if not 0.0 < half_width < 1.0:
        raise BadInput(f"half_width={half_width}: give a number between 0 and 1, such as 0.05 for five points")
    low, high = interval(successes, trials, level)
    share = successes / trials if trials else 0.5

    def wide(total: int) -> bool:
        low, high = _limits(share * total, float(total), level)
        return max(high - share, share - low) > half_width

    if trials and max(high - share, share - low) <= half_width:
        return 0
    enough, too_few = max(2 * trials, 16), trials
    while wide(enough):
        enough, too_few = 2 * enough, enough
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        enough, too_few = (enough, middle) if wide(middle) else (middle, too_few)
    return enough - trials


def _limits(successes: float, trials: float, level: float) -> tuple[float, float]:
    """Return the limits as quantiles of beta distributions; parts of an answer are allowed, for planning."""
    from scipy.special import betaincinv

    tail, failures = (1.0 - level) / 2.0, trials - successes
    low = float(betaincinv(successes, failures + 1.0, tail)) if successes > 0.0 else 0.0
    high = float(betaincinv(successes + 1.0, failures, 1.0 - tail)) if failures > 0.0 else 1.0
    return low, high
