"""Rendering: a SoundFont becomes training material for instruments, with its licence written down."""
