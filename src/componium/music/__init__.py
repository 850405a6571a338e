"""The ground: scores, sound, control and theory, with their files. NumPy and file libraries only."""
