"""How `markov` brings its viewpoints to one opinion: a weighted geometric mean of their distributions.

Multiplying the distributions of several viewpoints, each raised to a weight, and normalising, is how multiple
viewpoint systems combine best (Pearce, Conklin & Wiggins 2004, "Methods for combining statistical models of music").
The weights are not guessed from entropies but learned on pieces that the chains have not counted, one set for each
voice and for each depth to which the short-term chain found the present context in the piece so far.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from componium.composers.markov.chain import Floats

FLOOR = 1e-7
"""Smallest probability of a viewpoint before its logarithm is taken."""

Weights = npt.NDArray[np.float32]


def mix(opinions: Floats, weights: Weights, allowed: npt.NDArray[np.bool_], temperature: float = 1.0,
        favour: Floats | None = None) -> Floats:
    """Return the mixture of opinions, normalised over the allowed symbols.

    Args:
        opinions: [N, K, S] log-probabilities of K viewpoints.
        weights: [N, K].
        allowed: [N, S]; rows without any are all zero in the result.
        temperature: above 1 evens out, below 1 sharpens.
        favour: [N, S] added to the scores (edits of the transition table).
    """
    scores = np.matmul((weights / temperature)[:, None, :], opinions)[:, 0, :]
    if favour is not None:
        scores += favour / temperature
    scores = np.where(allowed, scores, -np.inf)
    highest = scores.max(axis=1, keepdims=True)
    raised = np.exp(scores - np.where(np.isfinite(highest), highest, 0.0))
    return np.asarray(raised / np.maximum(raised.sum(axis=1, keepdims=True), 1e-30), np.float32)


def default_weights(groups: int, viewpoints: int, depths: int) -> Weights:
    """Return weights [groups * depths, viewpoints] to begin with: the last viewpoint is the short-term one."""
    weights = np.full((groups, depths, viewpoints), 1.0 / max(viewpoints - 1, 1), np.float32)
    weights[:, :, -1] = np.linspace(0.0, 0.6, depths)
    return weights.reshape(groups * depths, viewpoints)


def learn_weights(opinions: Floats, targets: npt.NDArray[np.int64], allowed: npt.NDArray[np.bool_],
                  group: npt.NDArray[np.int64], start: Weights, strength: float = 50.0) -> Weights:
    """Fit the weights by maximum likelihood (L-BFGS), held near ``start`` where there is little to learn from.

    Args:
        opinions: [N, K, S] log-probabilities on tokens that the chains have not counted.
        targets: [N] what came.
        allowed: [N, S] symbols that were possible.
        group: [N] which row of the weights each token uses.
        start: [G, K].
        strength: how many tokens the starting weights are worth.
    """
    from scipy.optimize import minimize

    rows = np.arange(len(targets))
    chosen = opinions[rows, :, targets]

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat.reshape(start.shape).astype(np.float32)
        mixed = mix(opinions, weights[group], allowed)
        nats = -np.log(np.maximum(mixed[rows, targets], 1e-30)).sum()
        slope = np.matmul(opinions, mixed[:, :, None])[:, :, 0] - chosen
        gradient = np.zeros(start.shape)
        np.add.at(gradient, group, slope)
        away = flat.reshape(start.shape) - start
        total = nats + 0.5 * strength * float((away**2).sum())
        return total / len(rows), ((gradient + strength * away) / len(rows)).ravel()

    found = minimize(loss, start.ravel().astype(np.float64), jac=True, method="L-BFGS-B", options={"maxiter": 40})
    return np.asarray(found.x.reshape(start.shape), np.float32)
