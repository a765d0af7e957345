"""Copies that were marked anew tell how well the truth repeats itself."""

import pytest

from spinelab.core import Example, Examples, Measurement, Quantity, Result
from spinelab.experiments.duplicates import Duplicate
from spinelab.experiments.marked_twice import marked_twice, repeatability_words

ANGLE, LENGTH = Quantity("cobb_max", "deg", "Largest angle"), Quantity("offset", "px", "Offset")


def example(name, *angles):
    measured = tuple(Measurement(n, v, u) for (n, u), v in zip((("cobb_max", "deg"), ("offset", "px")), angles, strict=False))
    return Example(name, Result("t", "truth", name, measurements=measured), lambda: None, name)


def collection(tmp_path, *angles):
    return Examples(tuple(example(f"film {k}", *found) for k, found in enumerate(angles)), tmp_path)


def pair(a, b, kind="near"):
    return Duplicate(a, b, f"{a}", f"{b}", kind, 0.95)


def test_differences_of_copies_with_marks_of_their_own(tmp_path):
    films = collection(
        tmp_path, (40.0, 1.0), (38.0, 9.0), (20.0, 1.0), (21.0, 1.0), (60.0, 1.0), (54.0, 1.0), (10.0, 1.0), (10.0, 1.0), (5.0, 0.0), (50.0, 0.0)
    )
    copies = [pair(0, 1), pair(2, 3, "negative"), pair(4, 5, "exact"), pair(6, 7), pair(8, 9, "mirrored")]
    (row,) = marked_twice(films, copies, [ANGLE, LENGTH])
    assert {k: row[k] for k in ("quantity", "unit", "pairs")} == {"quantity": "Largest angle", "unit": "deg", "pairs": 3}
    assert (row["mean"], row["median"], row["largest"]) == pytest.approx((3.0, 2.0, 6.0))
    assert row["of_one"] == pytest.approx(3 / 2**0.5)
    assert "would be off such marks by about 2.1°" in repeatability_words([row])
    assert repeatability_words([row]).startswith("3 pictures stand twice with marks of their own: by these, the largest angle differs by 3.0° in the mean")


def test_two_pairs_say_nothing_and_a_truth_that_was_copied_along_is_no_second_one(tmp_path):
    films = collection(tmp_path, (40.0,), (38.0,), (20.0,), (21.0,), (60.0,), (60.0,), (70.0,), ())
    assert marked_twice(films, [pair(0, 1), pair(2, 3), pair(4, 5), pair(6, 7)], [ANGLE]) == ()
    assert repeatability_words(()) == ""


def test_what_is_measured_at_several_places_is_compared_place_by_place(tmp_path):
    slip = Quantity("slip", "%", "Slip")

    def slips(name, **values):
        measured = tuple(Measurement("slip", value, "%", site=site) for site, value in values.items())
        return Example(name, Result("t", "truth", name, measurements=measured), lambda: None, name)

    films = Examples(tuple(slips(f"{n} {k}", **({"L4": 10.0, "L5": 20.0} if k else {"L5": 21.0, "L4": 12.0})) for n in range(3) for k in (0, 1)), tmp_path)
    rows = marked_twice(films, [pair(0, 1), pair(2, 3), pair(4, 5)], [slip])
    assert {row["quantity"]: row["mean"] for row in rows} == {"Slip L4": 2.0, "Slip L5": 1.0}
