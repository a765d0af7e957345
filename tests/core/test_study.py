import numpy as np
import pytest

from spinelab.core import Fact, Image, InputError, Signal, Study, unknown

PICTURE = np.zeros((4, 5), dtype=np.uint8)


def test_nothing_is_invented():
    image = Image(PICTURE.copy())
    assert not image.spacing_mm.known
    assert not image.affine.known
    study = Study("s", images=(image,))
    assert not study.sex.known
    assert not study.age_years.known


def test_an_image_knows_its_rows_and_columns():
    assert Image(np.zeros((3, 4, 5)), "ZYX").shape_yx == (4, 5)
    assert Image(np.zeros((3, 4, 5, 3)), "TYXC").shape_yx == (4, 5)


def test_pixels_are_read_only():
    image = Image(PICTURE.copy())
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 1


@pytest.mark.parametrize("spacing", [(0.0, 1.0), (float("nan"), 1.0), (-1.0, 1.0), (1.0,), (1e9, 1.0)])
def test_impossible_spacing_is_refused(spacing):
    with pytest.raises(InputError, match="spacing"):
        Image(PICTURE.copy(), spacing_mm=Fact(spacing, "header"))


@pytest.mark.parametrize("axes", ["XY", "YXC", "ZYX"])
def test_axes_must_fit_the_array(axes):
    with pytest.raises(InputError):
        Image(PICTURE.copy(), axes)


def test_a_singular_affine_is_refused():
    with pytest.raises(InputError, match="orientation"):
        Image(PICTURE.copy(), affine=Fact(np.zeros((4, 4)), "header"))


@pytest.mark.parametrize("facts", [{"sex": Fact("X", "header")}, {"age_years": Fact(-1, "header")}, {"age_years": Fact(float("nan"), "header")}])
def test_impossible_facts_are_refused(facts):
    with pytest.raises(InputError):
        Study("s", images=(Image(PICTURE.copy()),), **facts)


def test_an_empty_study_is_refused():
    with pytest.raises(InputError, match="empty"):
        Study("s")


def test_unknown_says_why():
    assert unknown("the header has no sex") == Fact(None, "the header has no sex")


def test_a_signal_has_a_name_and_unit_a_channel():
    Signal(np.zeros((10, 2)), 120.0, ("x", "y"), ("g", "g"))
    with pytest.raises(InputError):
        Signal(np.zeros((10, 2)), 120.0, ("x",), ("g",))
    with pytest.raises(InputError):
        Signal(np.zeros((10, 1)), 0.0, ("x",), ("g",))
