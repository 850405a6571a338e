"""A recurrent network that composes and harmonises chorales; see `model` for what it is."""

from componium.composers.chorale_rnn.model import ChoraleRNN, ChoraleRNNConfig

__all__ = ["ChoraleRNN", "ChoraleRNNConfig"]
