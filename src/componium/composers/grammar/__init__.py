"""L-system that rewrites chords and motifs."""

from __future__ import annotations

from componium.composers.grammar.model import Grammar, GrammarConfig

__all__ = ["Grammar", "GrammarConfig"]
