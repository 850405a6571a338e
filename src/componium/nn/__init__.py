"""Layers and samplers that several networks share; they know nothing about music."""
