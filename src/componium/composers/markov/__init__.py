"""The variable-order, multiple-viewpoint Markov chain; see `model` for what it is, `chain` for the counting."""

from componium.composers.markov.model import Markov, MarkovConfig

__all__ = ["Markov", "MarkovConfig"]
