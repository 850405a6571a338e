"""What a fine-tuned model says of its data: what it learned from now, and what it had learned from before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from componium.music.licences import most_restrictive

CONSENT = ("consent_who", "consent_for", "consent_until", "consent_sha256")
LISTS = ("names", "hashes", "fingerprints", "held_out_hashes")


def continued(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Join two records of data; pieces are joined by their hash, and licences of both count.

    Args:
        now: what is learned from now, as `componium.training.fit.provenance_of` tells it.
        before: the provenance of the model at the beginning; without its long lists it is kept under ``"before"``.
    """
    known = set(now["hashes"])
    rows = [row for row in zip(before.get("names", ()), before.get("hashes", ()), before.get("fingerprints", ()),
                               strict=False) if row[1] not in known]
    joined = {key: [*now[key], *(row[place] for row in rows)]
              for place, key in enumerate(("names", "hashes", "fingerprints"))}
    licences = dict(Counter(now["licences"]) + Counter(before.get("licences", {})))
    sources = dict(Counter(now["sources"]) + Counter(before.get("sources", {})))
    return dict(now) | joined | _voices(now, before) | {
        "data": f"{before.get('data', 'unknown data')}, then {now['data']}",
        "pieces": len(joined["hashes"]), "licences": licences, "sources": sources,
        "licence": most_restrictive(licences),
        "before": {key: value for key, value in before.items() if key not in LISTS},
    }


def _voices(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of voices: one that was learned before stays in the model, with its consent."""
    if "consent_sha256" not in before:
        return {}
    told = {key: "; ".join(dict.fromkeys(str(side[key]) for side in (before, now) if key in side)) for key in CONSENT}
    return told | {"voice": now["voice"] if "consent_sha256" in now else before.get("voice", "yes")}
