"""Counts in words: singular, plural, and which cases."""

import pytest

from spinelab.core import counted, noted, plural


@pytest.mark.parametrize(("count", "words"), [(0, "0 films lie outside"), (1, "1 film lies outside"), (2, "2 films lie outside")])
def test_noun_and_verb_follow_the_count(count, words):
    assert counted(count, "[film lies|films lie] outside") == words
    assert plural(count, "film") == words.partition(" lie")[0]


def test_names_stand_before_the_colon_or_at_the_end():
    assert counted(["a"], "[film states|films state] no spacing: [its|their] distances are in pixels.") == (
        "1 film states no spacing (a): its distances are in pixels."
    )
    assert counted(["a", "b", "c"], "[film was|films were] left out.") == "3 films were left out (a, b, c)."
    assert counted(["a", "b", "c", "d"], "[is|are] L5/S1 (four)") == "4 are L5/S1 (four) (a, b, c, ...)"


def test_names_with_brackets_and_colons_stay_as_they_are():
    assert counted(["[is|are]: x"], "[film|films]: left out") == "1 film ([is|are]: x): left out"


def test_no_case_is_no_note():
    assert noted([], "[film|films] left out") == []
    assert noted(["a"], "[film|films] left out") == ["1 film left out (a)"]
