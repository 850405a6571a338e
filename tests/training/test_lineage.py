"""What a fine-tuned model says of its data."""

from __future__ import annotations

from componium.training.lineage import continued


def record(names, licence="CC0-1.0", **more):
    return {"data": "+".join(names), "pieces": len(names), "names": list(names), "hashes": [f"h{n}" for n in names],
            "fingerprints": [[n] for n in names], "licences": {licence: len(names)}, "licence": licence,
            "sources": {"here": len(names)}, "data_hash": f"of {names}", **more}


def test_both_sets_are_told_each_piece_once():
    found = continued(record(["b", "c"]), record(["a", "b"], "CC-BY-NC 4.0"))
    assert found["names"] == ["b", "c", "a"] and found["hashes"] == ["hb", "hc", "ha"]
    assert found["fingerprints"] == [["b"], ["c"], ["a"]] and found["pieces"] == 3
    assert found["data"] == "a+b, then b+c"
    assert found["data_hash"] == "of ['b', 'c']" and found["before"]["data_hash"] == "of ['a', 'b']"
    assert "names" not in found["before"] and found["sources"] == {"here": 4}


def test_the_most_restrictive_licence_of_both_travels():
    assert continued(record(["b"]), record(["a"], "CC-BY-NC 4.0"))["licence"] == "CC-BY-NC 4.0"
    assert continued(record(["b"], "unknown"), record(["a"]))["licences"] == {"unknown": 1, "CC0-1.0": 1}


def test_a_model_that_says_nothing_of_its_data_is_continued():
    found = continued(record(["b"]), {})
    assert found["names"] == ["b"] and found["data"] == "unknown data, then b" and found["before"] == {}


def test_tuning_twice_keeps_the_whole_line():
    found = continued(record(["c"]), continued(record(["b"]), record(["a"])))
    assert found["names"] == ["c", "b", "a"] and found["before"]["before"]["data_hash"] == "of ['a']"


def test_the_consent_of_a_voice_that_was_learned_before_stays():
    consent = {"consent_who": "Ana", "consent_for": "tests", "consent_until": "unlimited", "consent_sha256": "ab"}
    voice = record(["a"], voice="yes, as stated with --voice", **consent)
    found = continued(record(["b"], voice="no, by the names of the recordings"), voice)
    assert found["voice"].startswith("yes") and found["consent_sha256"] == "ab"
    both = continued(record(["b"], voice="yes, by the names of the recordings", **consent | {"consent_who": "Eva"}),
                     voice)
    assert both["consent_who"] == "Ana; Eva" and both["consent_sha256"] == "ab"
    assert "voice" not in continued(record(["b"]), record(["a"]))
