"""Measure the built-in corpora and write what is usual in them: the profiles that ship with `componium.evaluation`.

    python tools/make_profiles.py               chorales and tunes (about ten minutes on two cores)
    python tools/make_profiles.py chorales      one of them

The profiles hold quantiles of measures and no music. Of a corpus with more than 1,000 pieces a fixed random 1,000 are
measured. Make them again whenever a measure changes; a test compares them with the measures that there are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from componium.evaluation.profile import SHIPPED, profile_of
from componium.music.corpus import Corpus, open_corpus

FOLDER = Path(__file__).resolve().parents[1] / "src" / "componium" / "evaluation" / "data"
MOST_PIECES = 1000


def sample(corpus: Corpus) -> Corpus:
    """Return at most 1,000 pieces of a corpus, chosen by a fixed seed from the order of their hashes."""
    if len(corpus) <= MOST_PIECES:
        return corpus
    items = sorted(corpus, key=lambda item: item.hash)
    places = np.random.default_rng(1).permutation(len(items))[:MOST_PIECES]
    return Corpus([items[place] for place in sorted(places.tolist())], name=corpus.name)


def main() -> None:
    """Write the profiles that are asked for, or all."""
    for name in sys.argv[1:] or SHIPPED:
        profile = profile_of(sample(open_corpus(name)))
        path = FOLDER / f"profile_{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(profile.to_json(), separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"{path}: {profile.pieces} pieces, {len(profile.measures)} measures, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
