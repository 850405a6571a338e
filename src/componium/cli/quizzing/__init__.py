"""The listening quiz: which pieces are asked about, how they are made alike, the page, and the answers."""
