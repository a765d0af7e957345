"""Landmarks are told in words, not in the codes of tables."""

import re

import pytest

from spinelab.geometry import CORNER_LANDMARKS, LATERAL_LANDMARKS, landmark_words, landmarks_in_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("T4_1", "the anterior superior corner of T4"),
        ("T12_2", "the posterior inferior corner of T12"),
        ("S_1", "the anterior superior corner of S1"),
        ("C7_3", "the posterior superior corner of C7"),
        ("C7", "the centre of C7"),
        ("FM_2", "the posterior edge of the foramen magnum"),
        ("T1_superior_image_right", "the superior corner of T1 on the right of the picture"),
        ("my_point_1", "my_point_1"),
    ],
)
def test_a_landmark_in_words(name, words):
    assert landmark_words(name) == words


def test_every_landmark_of_either_view_has_words_of_its_own():
    words = [landmark_words(name) for name in (*LATERAL_LANDMARKS, *CORNER_LANDMARKS)]
    assert len(set(words)) == len(words)
    assert not any(re.search(r"_|\bODT\b", text) for text in words)


def test_several_in_a_row():
    assert landmarks_in_words(["C7", "Jaw", "ODT"]) == "the centre of C7, the chin and the odontoid"
    assert landmarks_in_words(["Jaw"]) == "the chin"
    assert landmarks_in_words([]) == ""
