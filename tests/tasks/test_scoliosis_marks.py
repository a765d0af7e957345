"""What is said of the marks of a collection: films with a vertebra that looks misplaced are named and kept."""

from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Example, Fact
from spinelab.geometry import THORACOLUMBAR
from spinelab.tasks.scoliosis import data
from spinelab.tasks.scoliosis.films import points_of
from spinelab.tasks.scoliosis.marks import remarked
from spinelab.tasks.scoliosis.truth import truth

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "scoliosis-ap"
LEVELS = len(THORACOLUMBAR)


def column(seed):
    """Return a marked column ``(17, 4, 2)`` with a curve of its own."""
    rng = np.random.default_rng(seed)
    level = np.arange(LEVELS)
    tilt = np.deg2rad(rng.uniform(0, 25)) * np.cos(level / rng.uniform(1.8, 2.6) + rng.uniform(0, 6))
    middle = np.stack([200 + np.cumsum(-np.sin(tilt)) * 24, 40 + 24.0 * level], axis=1)
    box = np.array([[-15.0, -9], [15, -9], [-15, 9], [15, 9]])
    turned = np.stack(
        [box[:, 0] * np.cos(tilt)[:, None] - box[:, 1] * np.sin(tilt)[:, None], box[:, 0] * np.sin(tilt)[:, None] + box[:, 1] * np.cos(tilt)[:, None]], -1
    )
    return middle[:, None] + turned + rng.normal(0, 0.3, (LEVELS, 4, 2))


def film(name, corners, levels=THORACOLUMBAR, spacing_mm=None):
    points = points_of(levels, corners)
    return Example(name, truth(points, name, 480, 40.0, spacing_mm=spacing_mm), lambda: None, facts={"spacing_mm": Fact(spacing_mm, "header")})


TURNED = np.array([[np.cos(0.44), np.sin(0.44)], [-np.sin(0.44), np.cos(0.44)]])
WIDE, HIGH, FOLDED = np.diag([1.8, 1.0]), np.diag([1.0, 1.7]), np.diag([1.0, -1.0])
FAULTS = {4: {8: TURNED, 13: WIDE}, 11: {5: HIGH}, 20: {0: FOLDED}, 31: {3: FOLDED}, 45: {6: FOLDED}}
"""Faults of vertebrae by the number of the film."""


def films(count, faults=None):
    """Return sound films, but for the vertebrae of ``faults``."""
    found = []
    for number in range(count):
        corners = column(number)
        for place, change in (faults or {}).get(number, {}).items():
            middle = corners[place].mean(axis=0)
            corners[place] = middle + (corners[place] - middle) @ change
        found.append(film(f"{number}.jpg", corners))
    return found


def test_sound_marks_are_not_remarked_on():
    sound = films(40)
    kept, notes = remarked(sound)
    assert kept == sound
    assert notes == []
    assert remarked([]) == ([], [])


def test_doubtful_films_are_counted_some_are_named_and_none_is_left_out():
    kept, (note,) = remarked(films(60, FAULTS))
    assert len(kept) == 60
    assert note.startswith("5 of 60 films have marks that look misplaced (look at them, none was left out): 4.jpg (T9: it is turned by ")
    assert "lower on the right of the picture; also L2); 11.jpg (T6: it is 1.7 times as high as " in note
    assert note.endswith("; and 2 more.")
    assert "31.jpg" not in note
    assert len(note) < 700


def test_every_doubtful_film_carries_its_remark_in_the_words_of_a_reading():
    kept, _ = remarked(films(60, {4: FAULTS[4]}))
    assert [one.id for one in kept if "remark" in one.facts] == ["4.jpg"]
    said = kept[4].facts["remark"].value
    assert said.startswith("marks that look misplaced: T9: it is turned by 2")
    assert "L2: it is 1.8 times as wide as its neighbours" in said


def test_few_films_are_judged_by_their_order_and_outlines_alone():
    corners = column(1)
    corners[8, [0, 1]] = corners[8, [1, 0]]
    (note,) = remarked([film("a.jpg", column(0)), film("b.jpg", corners)])[1]
    assert note == "1 of 2 films has marks that look misplaced (look at it, it was not left out): b.jpg (T9: its four corners form no quadrilateral)."
    assert remarked(films(10, {4: FAULTS[4]}))[1] == []


def test_a_film_of_a_part_of_the_spine_or_with_flat_pixels_is_judged_like_the_others():
    part = film("part.dcm", column(70)[:16], THORACOLUMBAR[:16])
    flat = film("flat.dcm", column(71) / [1.0, 0.5], spacing_mm=(0.5, 1.0))
    assert remarked([*films(40), part, flat])[1] == []
    corners = column(70)[:16]
    corners[13, :, 0] += 12
    (note,) = remarked([*films(40), film("part.dcm", corners, THORACOLUMBAR[:16])])[1]
    assert "part.dcm (L2: it lies " in note


@pytest.mark.skipif(not REAL.is_dir(), reason="the AP films of the challenge are not here")
def test_the_real_films_that_look_misplaced_are_a_few_and_their_note_is_short():
    found = data.examples(REAL, 40.0)
    assert len(found) == 481
    doubtful = [one for one in found if "remark" in one.facts]
    assert 20 < len(doubtful) < 50
    (note,) = [note for note in found.notes if "look misplaced" in note]
    assert note.startswith(f"{len(doubtful)} of 481 films")
    assert len(note) < 900
