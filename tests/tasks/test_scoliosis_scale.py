import numpy as np
import pytest

from spinelab.core import Fact, unknown
from spinelab.geometry import CORNERS, THORACOLUMBAR
from spinelab.tasks.scoliosis import scale


def column(width=32.0, height=20.0, pitch=25.0):
    """A straight column in square pixels."""
    box = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)]) * np.array([width, height]) / 2
    return {f"{level}_{corner}": box[c] + [100.0, 50 + pitch * row] for row, level in enumerate(THORACOLUMBAR) for c, corner in enumerate(CORNERS)}


@pytest.mark.parametrize(("mm", "apart"), [(5.0, "125"), (0.2, "5")])
def test_millimetres_that_no_spine_has_are_not_plausible(mm, apart):
    doubt = scale.implausible(column(), Fact((mm, mm), "header"))
    assert f"spacing of {mm:.3g} mm is not plausible: by it vertebrae would lie {apart} mm apart (header)" in doubt


@pytest.mark.parametrize("mm", [0.4, 1.0, 2.0])
def test_millimetres_of_children_and_adults_are_plausible(mm):
    assert scale.implausible(column(), Fact((mm, mm), "header")) == ""


def test_nothing_is_said_without_spacing_or_column():
    assert scale.implausible(column(), unknown("absent")) == scale.distorted(column(), unknown("absent")) == ""
    few = dict(list(column().items())[:16])
    assert scale.implausible(few, Fact((9.0, 9.0), "header")) == scale.distorted(few, Fact((9.0, 4.0), "header")) == ""


@pytest.mark.parametrize("spacing", [(0.3, 0.6), (0.6, 0.3), (0.3, 0.4)])
def test_pixels_that_the_vertebrae_contradict_carry_no_angle(spacing):
    assert "but the vertebrae have the shape that they have where pixels are square (header)" in scale.distorted(column(), Fact(spacing, "header"))


def test_a_picture_that_looks_as_its_spacing_says_is_measured_by_it():
    flattened = {name: point * [1.0, 0.5] for name, point in column().items()}
    assert scale.distorted(flattened, Fact((0.6, 0.3), "header")) == ""
    assert scale.distorted(column(), Fact((0.3, 0.303), "header")) == ""
