import json

import numpy as np
import pytest

from spinelab.geometry.shape import LEAST_SHAPES, ShapeModel, fit_shape

HEIGHT = 500.0
PARTS = np.array([[60.0, 50], [100, 60], [55, 150], [105, 155], [50, 260], [110, 262], [90, 380], [140, 390]])
MIRROR = (1, 0, 3, 2, 5, 4, 7, 6)


def patients(count=60, seed=0):
    """Return patients of one build: moved, enlarged and each landmark a little off."""
    rng = np.random.default_rng(seed)
    return PARTS * rng.normal(1, 0.08, (count, 1, 1)) + rng.normal(0, 15, (count, 1, 2)) + rng.normal(0, 2, (count, *PARTS.shape))


ALL = np.ones(len(PARTS), dtype=bool)


@pytest.fixture(scope="module")
def model():
    return fit_shape(patients(), np.ones((60, len(PARTS)), bool), HEIGHT)


def test_usual_patients_fit_with_the_spread_of_a_standard_normal(model):
    found = np.array([model.misfit(p, ALL, HEIGHT) for p in patients(40, seed=1)])
    assert found.max() < 4
    assert 0.6 < np.sqrt((found**2).mean() / 2) < 1.2


@pytest.mark.parametrize("landmark", range(len(PARTS)))
def test_a_displaced_landmark_is_the_one_that_fits_worst(model, landmark):
    points = PARTS.copy()
    points[landmark] += [25, -25]
    found = model.misfit(points, ALL, HEIGHT)
    assert int(np.argmax(found)) == landmark
    assert found[landmark] > 5


@pytest.mark.parametrize("scale", [0.8, 1.25])
@pytest.mark.parametrize("move", [(0, 0), (150, -40), (-60, 90)])
def test_a_moved_or_larger_patient_is_no_misfit(model, move, scale):
    assert model.misfit(PARTS * scale + move, ALL, HEIGHT).max() < 3


def test_a_move_changes_nothing_at_all(model):
    points = patients(1, seed=5)[0]
    assert model.misfit(points + np.array([200, -120]), ALL, HEIGHT) == pytest.approx(model.misfit(points, ALL, HEIGHT), rel=1e-6)


def test_the_number_of_pixels_changes_nothing(model):
    points = patients(1, seed=6)[0]
    assert model.misfit(points * 4, ALL, HEIGHT * 4) == pytest.approx(model.misfit(points, ALL, HEIGHT))


def test_absent_landmarks_are_not_judged_and_do_not_judge(model):
    present = ALL.copy()
    present[3] = False
    points = PARTS.copy()
    points[3] = [9999, -9999]
    found = model.misfit(points, present, HEIGHT)
    assert np.isnan(found[3])
    assert np.nanmax(found) < 2
    assert np.isnan(model.misfit(PARTS, np.arange(8) < 2, HEIGHT)).all()


def test_a_mirrored_patient_fits_and_his_displaced_landmark_is_found_under_its_own_name():
    turned = patients().copy()
    turned[::2] = turned[::2][:, list(MIRROR)] * [-1, 1]
    model = fit_shape(turned, np.ones((60, len(PARTS)), bool), HEIGHT, MIRROR)
    mirrored = PARTS[list(MIRROR)] * [-1, 1] + [200, 0]
    assert model.misfit(mirrored, ALL, HEIGHT).max() < 3
    assert model.misfit(PARTS, ALL, HEIGHT).max() < 3
    for landmark in range(len(PARTS)):
        for patient in (PARTS, mirrored):
            points = patient.copy()
            points[landmark] += [25, 25]
            assert int(np.argmax(model.misfit(points, ALL, HEIGHT))) == landmark


def test_few_or_incomplete_shapes_teach_nothing():
    present = np.ones((20, len(PARTS)), bool)
    present[LEAST_SHAPES - 1 :, 2] = False
    assert fit_shape(patients(20), present, HEIGHT) is None
    present[LEAST_SHAPES - 1, 2] = True
    assert fit_shape(patients(20), present, HEIGHT) is not None


def test_json_keeps_it(model):
    again = ShapeModel.from_dict(json.loads(json.dumps(model.to_dict())))
    points = patients(1, seed=7)[0]
    assert again.mirror is None
    assert again.misfit(points, ALL, HEIGHT) == pytest.approx(model.misfit(points, ALL, HEIGHT), rel=1e-3)


def test_the_disagreement_of_a_set_is_a_chi_square_and_a_displaced_point_adds_to_it(model):
    """Eight points whose mean is taken off have 14 degrees of freedom; the model allows for more than patients vary, so it is less."""
    found = np.array([model.disagreement(p, ALL, HEIGHT) for p in patients(200, seed=2)])
    assert 2 < found.mean() < 14
    wrong = PARTS.copy()
    wrong[3] += [25, -25]
    assert model.disagreement(wrong, ALL, HEIGHT) > 50 > found.max()
    without = np.arange(len(PARTS)) != 3
    assert model.disagreement(wrong, without, HEIGHT) < 20


def test_a_mirrored_patient_agrees_with_a_model_that_knows_how_names_swap():
    symmetric = fit_shape(patients(), np.ones((60, len(PARTS)), bool), HEIGHT, MIRROR)
    turned = (PARTS * [-1, 1] + [200, 0])[list(MIRROR)]
    assert symmetric.disagreement(turned, ALL, HEIGHT) == pytest.approx(symmetric.disagreement(PARTS, ALL, HEIGHT), rel=1e-6)
