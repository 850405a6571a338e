"""`componium corpus shards`: a folder of recordings as tar files, for training data that is larger than a disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from componium.cli.flags import Exclude, Force
from componium.cli.show import counted, progress_bar, quoted, say, skipped_lines
from componium.music.errors import BadInput

EPILOG = """\b
Examples:
  componium corpus shards MY_RECORDINGS --out shards
  componium corpus shards MY_RECORDINGS --out shards --size-mb 100
  componium train ddsp "shards/part-{000..009}.tar" --out my.sax
  componium train ddsp "https://example.org/shards/part-{000..099}.tar" --out my.sax

\b
Each shard is a tar file with recordings as they are, in the order of their names, and a JSON file beside each with its
source and licence. The same folder gives the same bytes. The files are those that the package webdataset reads."""
LEAST_MB = 1


def shards(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder with recordings, or one recording.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the shards.")],
    size_mb: Annotated[int, typer.Option(metavar="MB", help="About the most that a shard takes.")] = 512,
    exclude: Exclude = None,
    force: Force = False,
) -> None:
    """Put recordings into shards, which training reads a few at a time."""
    from componium.music.corpus import open_corpus
    from componium.training.shard_writing import pattern_of, write_shards

    if size_mb < LEAST_MB:
        raise BadInput(f"--size-mb {size_mb}: a shard has {LEAST_MB} MB or more")
    if not folder.exists():
        raise BadInput(f"{folder}: no such file or folder")
    with progress_bar("reading") as progress:
        corpus = open_corpus(folder, exclude=exclude, progress=progress)
    with progress_bar("writing") as progress:
        paths = write_shards(corpus, out, size_bytes=size_mb * 10**6, root=folder, force=force, progress=progress)
    used = corpus.only("audio")
    for line in skipped_lines(corpus.skipped):
        say(line)
    if len(used) < len(corpus):
        say(f"left out: {counted(len(corpus) - len(used), 'score')}")
    size = sum(path.stat().st_size for path in paths)
    say(f"{counted(len(used), 'recording')} in {counted(len(paths), 'shard')}, {size / 1e6:,.1f} MB, in {out}")
    say(f"next: componium train MODEL {quoted(pattern_of(paths))} --out DIR")
