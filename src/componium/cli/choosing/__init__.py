"""Choosing among candidates: `candidates` draws and writes them, `ranking` orders them, `audition` is their page."""

from __future__ import annotations

from componium.cli.choosing.candidates import Candidate, Choice, check, choose, draw, folder_for, stem_of

__all__ = ["Candidate", "Choice", "check", "choose", "draw", "folder_for", "stem_of"]
