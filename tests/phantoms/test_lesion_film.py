"""Films with a lesion drawn in: what differs between the classes is the lesion, and its place is known."""

import cv2
import numpy as np
import pytest

from spinelab.core import TaskError
from spinelab.phantoms.lesion_film import LESIONS, SIDE_PX, lesion_film


@pytest.fixture(scope="module")
def twins():
    """One patient, one exposure, each of the four answers."""
    return {label: lesion_film(np.random.default_rng(5), label=label, region="lumbar", view="LATERAL") for label in LESIONS}


def change(film, twin):
    """Return the change of grey levels without the noise, which is drawn anew wherever more or fewer quanta arrive."""
    one, other = (cv2.GaussianBlur(f.pixels.astype(np.float32), (0, 0), 2.5) for f in (film, twin))
    return np.abs(one - other)


def inside(film):
    mask = np.zeros(film.pixels.shape, bool)
    for x0, y0, x1, y1 in film.boxes.values():
        mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def test_films_are_squares_of_eight_bits(twins):
    assert all(f.pixels.shape == (SIDE_PX, SIDE_PX) and f.pixels.dtype == np.uint8 for f in twins.values())


def test_only_the_lesion_differs_between_twins(twins):
    """Spurs and metal change the film in their boxes; elsewhere it is the same picture but for display."""
    normal = twins["normal"]
    assert normal.boxes == {}
    for label, factor in (("osteophyte", 6), ("surgical-implant", 2)):
        film = twins[label]
        assert film.boxes
        changed, mask = change(film, normal), inside(film)
        assert changed[mask].mean() > factor * changed[~mask].mean(), label
        assert film.patient.age_years == normal.patient.age_years
        assert film.facing == normal.facing


def test_a_narrowed_foramen_has_lost_disc_height(twins):
    """Everything above sinks, so the change reaches farther than the box, but not below it."""
    film = twins["foraminal-stenosis"]
    lowest = max(y1 for _, _, _, y1 in film.boxes.values())
    changed = change(film, twins["normal"])
    assert changed[inside(film)].mean() > 6 * changed[lowest + 10 :].mean()


@pytest.mark.parametrize(("region", "view", "first"), [("cervical", "AP", "C"), ("thoracic", "LATERAL", "T"), ("lumbar", "AP", "L")])
def test_lesions_lie_in_the_region_that_is_shown(region, view, first):
    film = lesion_film(np.random.default_rng(8), label="osteophyte", region=region, view=view)
    assert film.boxes
    assert all(site.startswith(first) for site in film.boxes)
    for x0, y0, x1, y1 in film.boxes.values():
        assert 0 <= x0 < x1 < SIDE_PX
        assert 0 <= y0 < y1 < SIDE_PX
        assert (x1 - x0) * (y1 - y0) < 0.25 * SIDE_PX**2


def test_metal_is_the_whitest_part_of_its_box(twins):
    film = twins["surgical-implant"]
    gain = film.pixels.astype(int) - twins["normal"].pixels
    assert np.quantile(gain[inside(film)], 0.9) > 40


def test_unknown_words_are_refused():
    with pytest.raises(TaskError):
        lesion_film(np.random.default_rng(0), label="fracture")
    with pytest.raises(TaskError):
        lesion_film(np.random.default_rng(0), view="OBLIQUE")
