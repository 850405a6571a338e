"""Models of one line: `lstm` and `transformer` (the course's systems, done right) and `rnn` (Magenta's Melody RNN)."""

from componium.composers.melody.lstm import MelodyLSTM, MelodyLSTMConfig
from componium.composers.melody.rnn import MelodyRNN, MelodyRNNConfig
from componium.composers.melody.transformer import MelodyTransformer, MelodyTransformerConfig

__all__ = ["MelodyLSTM", "MelodyLSTMConfig", "MelodyRNN", "MelodyRNNConfig", "MelodyTransformer",
           "MelodyTransformerConfig"]
