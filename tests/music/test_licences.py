"""What the words of a licence mean, and which of several asks the most."""

from __future__ import annotations

import pytest

from componium.music.licences import MEANINGS, RESTRICTIVENESS, classes_of, licence_class, most_restrictive, rights_of


@pytest.mark.parametrize(("text", "expected"), [
    ("CC0", "free"),
    ("CC0-1.0", "free"),
    ("https://creativecommons.org/publicdomain/mark/1.0/", "free"),
    ("Public Domain", "free"),
    ("Copyright: public domain", "free"),
    ("Copyright 2010 A. Name, released into the public domain", "free"),
    ("CC-BY-4.0", "attribution"),
    ("cc by", "attribution"),
    ("Creative Commons Attribution 4.0 International", "attribution"),
    ("https://creativecommons.org/licenses/by/4.0/", "attribution"),
    ("MIT License\n\nCopyright (c) 2020 A. Name\n\nPermission is hereby granted, free of charge", "attribution"),
    ("Copyright 2010. All rights reserved. Redistribution and use in source and binary forms are", "attribution"),
    ("CC BY-SA 3.0", "share-alike"),
    ("https://creativecommons.org/licenses/by-sa/3.0/", "share-alike"),
    ("GPL-2.0", "share-alike"),
    ("GNU GENERAL PUBLIC LICENSE ... This alternative is allowed only occasionally and noncommercially", "share-alike"),
    ("CC_BY_NC_SA 4.0", "non-commercial"),
    ("Creative Commons Attribution-NonCommercial 4.0", "non-commercial"),
    ("Nur für nichtkommerzielle Zwecke", "non-commercial"),
    ("SPDX-License-Identifier: CC-BY-NC-4.0", "non-commercial"),
    ("code: MIT, data: CC BY-NC 4.0", "non-commercial"),
    ("public-domain work, encoding licence not stated", "encoding not stated"),
    ("CC BY-ND 4.0", "reserved"),
    ("© 2004 A. Name", "reserved"),
    ("© 2004 A. Name, a public domain work", "reserved"),
    ("All rights reserved", "reserved"),
    ("", "unknown"),
    ("unknown", "unknown"),
    ("ask my cousin", "unknown"),
    ("mit freundlicher Genehmigung", "unknown"),
    ("not released under CC BY", "unknown"),
])
def test_the_class_of_a_licence(text: str, expected: str) -> None:
    assert licence_class(text) == expected
    assert licence_class(f"  {text.upper()}\n") == expected


def test_every_class_has_a_meaning_and_its_own_name() -> None:
    assert set(MEANINGS) == set(RESTRICTIVENESS)
    ordered = ["CC0", "CC BY", "CC BY-SA", "CC BY-NC", "encoding licence not stated", "© 2000 A", "?"]
    assert [licence_class(text) for text in ordered] == list(RESTRICTIVENESS)
    for place in range(len(ordered)):
        assert most_restrictive(ordered[:place + 1]) == most_restrictive(ordered[place::-1]) == ordered[place]
    assert most_restrictive([]) == "unknown"


def test_a_set_is_counted_by_class_and_its_rights_are_said() -> None:
    licences = {"CC0": 3, "MIT": 1, "CC BY": 2}
    assert classes_of(licences) == {"free": 3, "attribution": 3}
    assert rights_of(licences).startswith("most restrictive: attribution (3 of 6 items)")
    assert "before you pass on" in rights_of(licences | {"?": 1})
    assert "all items" in rights_of({"GPL-3.0": 2})
    assert "nothing in it" in rights_of({})
