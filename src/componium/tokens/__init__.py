"""Tokens: music as whole numbers and back, one vocabulary in each file, as visible arithmetic."""
