"""Evaluation: one module per question that is asked of a model or of its music."""
