"""Put a trained checkpoint into the package: halved, checked, with figures.

    python tools/ship.py my.chorale-rnn chorale-rnn [--valid valid.json]
    python tools/ship.py my.melody-rnn melody-rnn --melodies tunes
    python tools/ship.py my.violin violin --recordings violin_wavs

Refused are weights that were learned from pieces of the benchmark's validation or test part or their siblings, from
works, encodings or sounds with restrictions beyond the naming of their authors, and folders above 6 MB (40 MB for all
of them).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from componium import checkpoint, registry
from componium.evaluation.likelihood import evaluate
from componium.evaluation.melody_likelihood import melody_likelihood
from componium.evaluation.resynthesis import resynthesis
from componium.music.corpus import open_corpus
from componium.music.licences import licence_class
from componium.music.provenance import benchmark_part

MOST_BYTES, MOST_BYTES_IN_ALL = 6_000_000, 40_000_000
UNRESTRICTED = ("free", "encoding not stated", "attribution")
SOUND_FIGURES = ("spectral_loss", "spectral_loss_floor", "spectral_loss_ceiling", "loudness_l1", "f0_l1",
                 "f0_outliers")


def refusals(model: Any) -> list[str]:
    """Return why a model may not be shipped."""
    told = model.provenance
    fingerprints = told.get("fingerprints") or [()] * len(told["names"])  # recordings have none
    shared = [name for name, prints in zip(told["names"], fingerprints, strict=True) if benchmark_part(prints)]
    restricted = [text for text in told["licences"] if licence_class(text) not in UNRESTRICTED]
    return [f"it learned from {name}, which is in the benchmark or a sibling" for name in shared] + \
        [f"it learned under a licence with restrictions: {text}" for text in restricted]


def size_bytes(folder: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> int:
    """Ship a checkpoint; returns the exit status."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder", type=Path)
    words.add_argument("name")
    words.add_argument("--valid", type=Path, help="the benchmark's valid.json: its figure goes into the card")
    words.add_argument("--melodies", metavar="DATA", help="what it learned a part of: how well it foresees the others "
                                                          "goes into the card")
    words.add_argument("--recordings", metavar="DATA", help="what it learned a part of: how close it comes to the "
                                                            "others goes into the card")
    asked = words.parse_args()
    model = checkpoint.load(asked.folder)
    reasons = refusals(model)
    if reasons:
        print("\n".join(reasons), file=sys.stderr)
        return 1
    if hasattr(model, "halve"):
        model.halve()
    if asked.valid is not None:
        told = evaluate(model, asked.valid, protocol="jsb16").all_pieces
        model.figures["nats per token, JSB-16/tok valid, 76 pieces, token mean"] = round(told.token_mean, 4)
        model.figures["nats per onset, JSB-16/tok valid"] = round(told.nats_per_onset or 0.0, 4)
    if asked.melodies is not None:
        report = melody_likelihood(model, asked.melodies).to_json()
        told, chain = report["judges"]["model"], report["judges"]["chain-4"]
        of = f"protocol melody, {told['pieces']} held-out pieces of {asked.melodies}"
        model.figures[f"nats per 16th, {of}"] = round(told["nats_per_token"]["token_mean"], 4)
        model.figures["the same of a Markov chain of order 4"] = round(chain["nats_per_token"]["token_mean"], 4)
        model.figures[f"likeliest symbol right, {of}"] = round(told["accuracy"], 4)
    if asked.recordings is not None:
        judged = resynthesis(model, open_corpus(asked.recordings), name=asked.name).to_json()
        for name in SOUND_FIGURES:
            model.figures[f"{name}, {judged['excerpts']} held-out excerpts of 4 s"] = round(judged[name], 4)
    target = checkpoint.save(model, registry.PRETRAINED / asked.name, force=True)
    too_large = size_bytes(target) > MOST_BYTES or size_bytes(registry.PRETRAINED) > MOST_BYTES_IN_ALL
    print(f"{target}: {size_bytes(target) / 1e6:.2f} MB; all shipped: {size_bytes(registry.PRETRAINED) / 1e6:.2f} MB")
    print("\n".join(f"{name}: {value}" for name, value in model.figures.items()))
    return int(too_large)


if __name__ == "__main__":
    sys.exit(main())
