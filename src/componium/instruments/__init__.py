"""Models that make sound, one file each; `registry` names them."""
