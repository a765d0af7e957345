"""Points between planes: known answers, and laws that hold for any orientation."""

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.geometry.planes import STANDARD, check_same_frame, cross, flip_affine, hang, picture_directions, plane_of, project, to_patient, to_plane


def plane(columns_to, rows_to, spacing=(1.0, 1.0), origin=(0, 0, 0)):
    """Affine of a plane; spacing is (row, column)."""
    matrix = np.eye(4)
    matrix[:3, 0] = np.array(columns_to, float) * spacing[1]
    matrix[:3, 1] = np.array(rows_to, float) * spacing[0]
    matrix[:3, 2] = np.cross(columns_to, rows_to)
    matrix[:3, 3] = origin
    return matrix


SAGITTAL = plane((0, 1, 0), (0, 0, -1), (0.5, 0.75), (10, -100, 120))
AXIAL = plane((1, 0, 0), (0, 1, 0), (0.6, 0.6), (-90, -80, 15))


def test_a_sagittal_pixel_in_millimetres():
    assert to_patient(SAGITTAL, 4, 10) == pytest.approx([10, -97, 115])
    assert to_plane(SAGITTAL, (13, -97, 115))[:2] == pytest.approx((4, 10))


def test_a_point_of_a_sagittal_slice_in_an_axial_stack():
    stack = []
    for z in (5, 10, 15, 20):
        affine = AXIAL.copy()
        affine[2, 3] = z
        stack.append(affine)
    found = project(to_patient(SAGITTAL, 100, 212), stack, (300, 300))
    assert (found.index, found.inside) == (2, True)
    assert (found.x, found.y, found.distance_mm) == pytest.approx(((10 + 90) / 0.6, (-25 + 80) / 0.6, -1.0))
    outside = project((500, 0, 10), stack, (300, 300))
    assert (outside.index, outside.inside) == (1, False)
    with pytest.raises(InputError, match="No slice"):
        project((0, 0, 0), np.empty((0, 4, 4)), (3, 3))


def test_there_and_back_for_any_orientation():
    rng = np.random.default_rng(0)
    for _ in range(50):
        directions = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        affine = plane(directions[0], directions[1], rng.uniform(0.3, 2, 2), rng.normal(0, 50, 3))
        x, y = rng.uniform(0, 300, 2)
        assert to_plane(affine, to_patient(affine, x, y)) == pytest.approx((x, y, 0), abs=1e-9)
        leaning = affine.copy()
        leaning[:3, 2] += 0.3 * leaning[:3, 0]
        assert to_plane(leaning, to_patient(affine, x, y)) == pytest.approx((x, y, 0), abs=1e-9)


def test_planes_have_names():
    assert plane_of(SAGITTAL) == ("SAGITTAL", 0.0)
    assert plane_of(AXIAL)[0] == "AXIAL"
    assert plane_of(plane((1, 0, 0), (0, 0, -1)))[0] == "CORONAL"
    tilt = np.radians(42)
    assert plane_of(plane((1, 0, 0), (0, np.cos(tilt), -np.sin(tilt)))) == ("AXIAL", pytest.approx(42))
    third = np.linalg.qr(np.array([[1.0, 1, 1], [1, 0, 0], [0, 1, 0]]).T)[0].T
    assert plane_of(plane(third[1], third[2]))[0] == "OBLIQUE"


def test_frames_of_reference():
    check_same_frame("1.2.3", "1.2.3")
    for one, other in (("1.2.3", "1.2.4"), (None, "1.2"), (None, None)):
        with pytest.raises(InputError, match="frames of reference"):
            check_same_frame(one, other)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_flip_leaves_every_voxel_where_it_was(axis):
    rng = np.random.default_rng(1)
    directions = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    affine = plane(directions[0], directions[1], (0.7, 0.4), (3, 4, 5))
    affine[:3, 2] *= 4
    shape = {"x": 20, "y": 30, "z": 5}
    flipped = flip_affine(affine, axis, shape[axis])
    index = np.array([3.0, 7.0, 2.0, 1.0])
    mirrored = index.copy()
    place = "xyz".index(axis)
    mirrored[place] = shape[axis] - 1 - index[place]
    assert flipped @ mirrored == pytest.approx(affine @ index)
    assert flip_affine(flipped, axis, shape[axis]) == pytest.approx(affine)
    with pytest.raises(InputError, match="Axis"):
        flip_affine(affine, "t", 3)


def test_hanging_keeps_every_pixel_in_its_place():
    pixels = np.arange(12).reshape(3, 4)
    axes = np.eye(3)
    for a in range(3):
        for b in range(3):
            if a == b:
                continue
            for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                affine = plane(signs[0] * axes[a], signs[1] * axes[b], (2, 1), (5, 6, 7))
                hung, matrix = hang(pixels, affine)
                assert picture_directions(matrix) == STANDARD[plane_of(affine)[0]]
                for value in (0, 5, 11):
                    y, x = np.argwhere(pixels == value)[0]
                    v, u = np.argwhere(hung == value)[0]
                    assert to_patient(matrix, u, v) == pytest.approx(to_patient(affine, x, y))


@pytest.mark.parametrize("lean_deg", [-75, -50, 0, 40, 50, 75])
def test_an_axial_slice_hangs_as_one_however_much_it_leans(lean_deg):
    lean, pixels = np.deg2rad(lean_deg), np.arange(12).reshape(3, 4)
    affine = plane(np.array([1.0, 0, 0]), np.array([0, np.cos(lean), -np.sin(lean)]), (2, 1), (5, 6, 7))
    stored = flip_affine(flip_affine(affine, "y", 3), "x", 4)
    hung, matrix = hang(pixels[::-1, ::-1], stored, ("SAGITTAL", "AXIAL"))
    assert np.array_equal(hung, pixels)
    assert matrix == pytest.approx(affine)
    upside_down = lean_deg in (-75, -50)
    assert np.array_equal(hang(pixels, affine)[0], pixels[::-1] if upside_down else pixels), "taken for a coronal slice where its planes are not known"


def test_the_cross_product_is_numpys_to_the_last_bit():
    rng = np.random.default_rng(4)
    for one, other in rng.normal(size=(200, 2, 3)):
        assert np.array_equal(cross(one, other), np.cross(one, other))
