"""Drawing tokens from what a network predicts: shaping, drawing, beams and particles, all of them batched.

`shaped` turns logits into the log-probabilities that are drawn from: what is not allowed is taken away first, then
repetition is made less likely, the temperature applied, and the tail cut off (top-k, top-p, typical). `draw` takes
its uniform random numbers from the caller, one a row, so that what a piece becomes depends on its own random stream
and not on which other pieces are composed beside it.

Papers: top-k, Fan, Lewis and Dauphin (2018); top-p, Holtzman et al., The curious case of neural text degeneration
(2020); typical, Meister et al., Locally typical sampling (2022); systematic resampling, Kitagawa, Monte Carlo filter
and smoother for non-Gaussian nonlinear state space models (1996).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from componium.music.errors import BadInput

NEVER = -math.inf
"""The log-probability of what is not allowed."""


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How to draw from a distribution.

    Attributes:
        temperature: 1 as predicted, lower safer, higher bolder, 0 always the most likely.
        top_k: draw only from the k most likely tokens; 0 from all.
        top_p: draw only from the fewest tokens that together have this probability; 1 from all.
        typical_p: draw only from the tokens of this joint probability that are about as surprising as expected; 1
            from all.
        repetition: what the odds of a token heard recently are divided by; 1 changes nothing, below 1 favours it.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    typical_p: float = 1.0
    repetition: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise BadInput(f"temperature={self.temperature:g}: give 0 (always the most likely) or more; 1 as learned")
        if isinstance(self.top_k, bool) or self.top_k != int(self.top_k) or self.top_k < 0:
            raise BadInput(f"top_k={self.top_k}: give a whole number of tokens to draw from, or 0 for all")
        for name in ("top_p", "typical_p"):
            if not 0 < getattr(self, name) <= 1:
                raise BadInput(f"{name}={getattr(self, name):g}: give a probability above 0 and up to 1 (1 keeps all)")
        if not (math.isfinite(self.repetition) and self.repetition > 0):
            raise BadInput(f"repetition={self.repetition:g}: give a number above 0; 1 changes nothing")


def shaped(logits: Tensor, allowed: Tensor | None = None, sampling: Sampling | None = None, *,
           recent: Tensor | None = None, temperature: Tensor | None = None) -> Tensor:
    """Return the log-probabilities to draw from.

    Args:
        logits: [..., S] what a network predicts, up to a constant a row.
        allowed: [..., S] bool, False where a token must not be drawn; None allows all.
        sampling: how to draw; None changes nothing.
        recent: [..., R] tokens that `Sampling.repetition` makes less likely; numbers below 0 are no tokens.
        temperature: [...] one a row, in place of that of ``sampling``.

    Returns:
        [..., S] normalised log-probabilities, -inf where a token cannot be drawn; float64 (float32 where the device
        has no float64). At least one token of every row can be drawn.

    Raises:
        BadInput: a row allows no token, or its logits are not numbers.
    """
    sampling = sampling or Sampling()
    values = logits.to(torch.float32 if logits.device.type == "mps" else torch.float64)
    if allowed is not None:
        values = values.masked_fill(~allowed, NEVER)
    values = values.log_softmax(-1)
    if bool(torch.isnan(values).any()):
        _explain(logits, allowed)
    if recent is not None and sampling.repetition != 1.0:
        values = _less_repeated(values, recent, sampling.repetition)
    values = _warmed(values, sampling.temperature if temperature is None else temperature)
    return _cut(values, sampling)


def _explain(logits: Tensor, allowed: Tensor | None) -> None:
    """Raise the error of a row without a distribution."""
    usable = logits if allowed is None else logits.masked_fill(~allowed, NEVER)
    if bool((torch.isnan(logits) | (logits == math.inf)).any()):
        raise BadInput("the network predicts values that are not finite: its weights are damaged; train it again or "
                       "take an earlier checkpoint")
    row = int(torch.isneginf(usable).all(-1).flatten().nonzero()[0])
    raise BadInput(f"row {row} of the batch allows no token at all: what was asked for contradicts itself there")


def _less_repeated(values: Tensor, recent: Tensor, repetition: float) -> Tensor:
    """Divide the odds of recent tokens, each once however often it was heard."""
    heard = torch.zeros((*values.shape[:-1], values.shape[-1] + 1), dtype=torch.bool, device=values.device)
    heard.scatter_(-1, torch.where(recent < 0, values.shape[-1], recent).to(torch.int64), True)
    return (values - math.log(repetition) * heard[..., :-1]).log_softmax(-1)


def _warmed(values: Tensor, temperature: float | Tensor) -> Tensor:
    """Apply a temperature, or one a row [...]; at 0 only the most likely token is left, the first of equals."""
    if not isinstance(temperature, Tensor):
        if temperature == 1.0:
            return values
        if temperature > 0:
            return (values / temperature).log_softmax(-1)
        return _one(values.argmax(-1), values)
    if bool((~(temperature >= 0) | torch.isinf(temperature)).any()):
        raise BadInput("every temperature of a batch is a number of 0 or more; 1 is as learned")
    rows = temperature.to(values)[..., None]
    warm = (values / torch.where(rows > 0, rows, 1.0)).log_softmax(-1)
    return torch.where(rows > 0, warm, _one(values.argmax(-1), values))


def _one(tokens: Tensor, values: Tensor) -> Tensor:
    """Return log-probabilities that have one token a row."""
    return torch.full_like(values, NEVER).scatter_(-1, tokens[..., None], 0.0)


def _cut(values: Tensor, sampling: Sampling) -> Tensor:
    """Cut off the tail of normalised log-probabilities; the most likely (or most typical) token always stays."""
    size = values.shape[-1]
    if 0 < sampling.top_k < size:
        lowest = values.topk(sampling.top_k, dim=-1).values[..., -1:]
        values = values.masked_fill(values < lowest, NEVER).log_softmax(-1)
    if sampling.typical_p < 1:
        chance = values.exp()
        entropy = -(chance * values.masked_fill(chance == 0, 0.0)).sum(-1, keepdim=True)
        values = _first(values, (-values - entropy).abs(), sampling.typical_p)
    if sampling.top_p < 1:
        values = _first(values, -values, sampling.top_p)
    return values


def _first(values: Tensor, order: Tensor, share: float) -> Tensor:
    """Keep the fewest tokens, in ascending ``order``, that together have a share of the probability."""
    places = order.sort(dim=-1, stable=True).indices
    chance = values.exp().gather(-1, places)
    before = chance.cumsum(-1) - chance
    before[..., 0] = 0.0  # rounding never takes the first
    beyond = torch.zeros_like(values, dtype=torch.bool).scatter_(-1, places, before >= share)
    return values.masked_fill(beyond, NEVER).log_softmax(-1)


def draw(log_probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """Return one token a row, by inverting the cumulative distribution.

    Args:
        log_probabilities: [..., S] as `shaped` returns them; they need not be normalised.
        uniforms: [...] a random number of 0 up to 1 (exclusive) a row, such as `Uniforms` gives.

    Returns:
        [...] int64 tokens; one of probability 0 is never among them.
    """
    rising = (log_probabilities - log_probabilities.amax(-1, keepdim=True)).exp().cumsum(-1)
    below_one = 1 - (2.0**-20 if rising.dtype == torch.float32 else 2.0**-50)
    aims = uniforms.to(rising).clamp(0.0, below_one)[..., None] * rising[..., -1:]
    return (rising <= aims).sum(-1)


def taken(log_probabilities: Tensor, tokens: Tensor) -> Tensor:
    """Return the log-probability, in nats, of one token a row: [..., S] and [...] give [...]."""
    return log_probabilities.gather(-1, tokens[..., None])[..., 0]


class Uniforms:
    """Random numbers for `draw`: every piece has a stream of its own, a function of its seed alone.

    Args:
        seeds: one a piece.
        ahead: how many numbers of each stream are drawn at once; changes nothing but the speed.
    """

    def __init__(self, seeds: Sequence[int], ahead: int = 256) -> None:
        self._streams = [np.random.default_rng(seed) for seed in seeds]
        self._ahead = ahead
        self._drawn = np.zeros((0, len(self._streams)))
        self._used = 0

    def next(self) -> Tensor:
        """Return the next number of every stream: float64 [pieces], on the CPU."""
        if self._used == len(self._drawn):
            self._drawn = np.stack([stream.random(self._ahead) for stream in self._streams], axis=1)
            self._used = 0
        self._used += 1
        return torch.from_numpy(self._drawn[self._used - 1])


def beam(log_probabilities: Tensor, scores: Tensor, width: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Return the best continuations of every piece's beam.

    Args:
        log_probabilities: [B, K, S] of the next token of each of K hypotheses.
        scores: [B, K] log-probability of each hypothesis so far; -inf for one that is not there yet (begin with
            0 for the first and -inf for the others, or K equal ones are kept).
        width: how many to keep; K where it is not given.

    Returns:
        Which hypothesis each comes from [B, width], its next token [B, width], its score [B, width], best first.
        Where fewer than ``width`` continuations are possible, the last have the score -inf.
    """
    batch, _, size = log_probabilities.shape
    joined = (scores.to(log_probabilities)[..., None] + log_probabilities).reshape(batch, -1)
    width = scores.shape[1] if width is None else width
    best, places = joined.topk(min(width, joined.shape[1]), dim=-1)
    return places // size, places % size, best


def resample(log_weights: Tensor, uniforms: Tensor) -> Tensor:
    """Return which particles go on, by systematic resampling: each K times its weight, rounded down or up.

    Args:
        log_weights: [B, K], up to a constant a row; a particle of -inf never goes on.
        uniforms: [B] one random number of 0 up to 1 (exclusive) a piece.

    Returns:
        [B, K] int64, ascending: the particle that each one is a copy of.
    """
    count = log_weights.shape[-1]
    rising = log_weights.to(torch.float32 if log_weights.device.type == "mps" else torch.float64)
    rising = rising.softmax(-1).cumsum(-1)
    if bool(torch.isnan(rising).any()):
        raise BadInput("no particle can go on: every one of a piece has the weight 0")
    places = torch.arange(count, device=rising.device, dtype=rising.dtype)
    aims = (places + uniforms.to(rising)[..., None]) / count * rising[..., -1:]
    below_one = 1 - (2.0**-20 if rising.dtype == torch.float32 else 2.0**-50)
    aims = torch.minimum(aims, rising[..., -1:] * below_one).contiguous()
    return torch.searchsorted(rising.contiguous(), aims, right=True)


def effective_size(log_weights: Tensor) -> Tensor:
    """Return how many equally weighted particles the weights [B, K] are worth, 1 to K: [B] (Kong, Liu and Wong 1994).

    `resample` when it falls below half of K.
    """
    return 1 / log_weights.double().softmax(-1).square().sum(-1) if log_weights.device.type != "mps" \
        else 1 / log_weights.float().softmax(-1).square().sum(-1)
