import numpy as np
import pytest

from spinelab.train.canvas import Changes, change, even, finer, place, pooled, put
from spinelab.train.landmark_batches import LandmarkFilms

ROWS, COLUMNS = 128, 64
CALM = Changes(turn_deg=0, shift=0, zoom=0, stretch=0, crop=0, flip=False, gamma=0, contrast=0, brightness=0, noise=0, blur=0)
GREYS = {"gamma": 0, "contrast": 0, "brightness": 0, "noise": 0, "blur": 0}


def spot(shape, x, y, radius=2.5):
    """Return a dark film with a bright round spot at a sub-pixel place."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (40 + 215 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))).astype(np.uint8)


def centre_of(film, above=120):
    weight = np.clip(film.astype(float) - above, 0, None)
    rows, columns = np.mgrid[: film.shape[0], : film.shape[1]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@pytest.mark.parametrize("shape", [(128, 64), (1023, 511), (333, 97), (77, 301), (63, 31), (2500, 1001)])
def test_film_to_canvas_and_back_is_exact_and_on_the_canvas(shape):
    where = place(shape, ROWS, COLUMNS)
    points = np.random.default_rng(0).uniform(0, [shape[1] - 1, shape[0] - 1], (50, 2))
    there = where.to_canvas(points)
    assert where.to_film(there) == pytest.approx(points, abs=1e-9)
    assert (there > -0.5).all()
    assert (there < [COLUMNS - 0.5, ROWS - 0.5]).all()
    assert where.scale[0] == pytest.approx(where.scale[1], rel=0.03)


def test_the_edges_of_the_film_become_the_edges_of_its_picture():
    where = place((300, 100), 96, 64)
    assert where.scale == pytest.approx((0.32, 0.32))
    assert where.to_canvas(np.array([-0.5, -0.5])) == pytest.approx([16 - 0.5, -0.5])
    assert where.to_canvas(np.array([99.5, 299.5])) == pytest.approx([48 - 0.5, 95.5])


@pytest.mark.parametrize(("shape", "point"), [((511, 253), (101.3, 377.8)), ((97, 201), (150.2, 30.1)), ((61, 33), (20.0, 41.0))])
def test_a_spot_of_the_film_is_where_the_placement_says(shape, point):
    size = 3.0 * max(shape[0] / ROWS, shape[1] / COLUMNS)
    seen = put(spot(shape, *point, radius=size), ROWS, COLUMNS)
    assert seen.pixels.shape == (1, ROWS, COLUMNS)
    assert seen.facts["shape"] == list(shape)
    assert centre_of(seen.pixels[0], above=200) == pytest.approx(place(shape, ROWS, COLUMNS).to_canvas(np.array(point)), abs=0.5)


def test_a_uniform_film_stays_uniform_and_a_weak_one_becomes_strong():
    assert np.ptp(even(np.full((100, 80), 90, np.uint8))) == 0
    weak = np.random.default_rng(0).integers(100, 110, (128, 128)).astype(np.uint8)
    assert even(weak).std() > 5 * weak.std()


@pytest.mark.parametrize("detail", [2, 3])
def test_a_spot_of_a_finer_canvas_is_where_finer_says(detail):
    point = np.array([30.25, 71.75])
    fine = spot((ROWS * detail, COLUMNS * detail), *finer(point, detail), radius=2.5 * detail)
    assert pooled(fine, detail).shape == (ROWS, COLUMNS)
    assert centre_of(pooled(fine, detail)) == pytest.approx(point, abs=0.05)
    assert finer(finer(point, detail), 1 / detail) == pytest.approx(point)
    assert pooled(fine, 1) is fine


@pytest.mark.parametrize(
    "limits",
    [
        Changes(crop=0, flip=False, **GREYS),
        Changes(crop=0, flip=True, turn_deg=15, **GREYS),
        Changes(crop=1, flip=True, **GREYS),
        Changes(),
    ],
    ids=["moved", "mirrored", "cropped", "everything"],
)
def test_a_spot_of_a_changed_film_is_where_moved_says(limits):
    rng, checked, kinds = np.random.default_rng(4), 0, set()
    for x, y in ((20.3, 40.6), (41.0, 88.2), (30.5, 64.0), (36.7, 20.2)) * 6:
        changed = change(spot((ROWS, COLUMNS), x, y), rng, limits)
        point, on = changed.moved(np.array([x, y]))
        kinds.add(changed.mirrored)
        inside = (point > 9).all() and (point < [COLUMNS - 10, ROWS - 10]).all() and changed.kept[0] + 7 < y < changed.kept[1] - 7
        if on and inside:
            top = changed.film.max() * 0.7
            assert centre_of(changed.film, above=max(top, changed.film.mean() + 40)) == pytest.approx(point, abs=0.6)
            checked += 1
    assert checked >= 6
    assert kinds == ({True, False} if limits.flip else {False})


def test_what_is_cropped_away_is_black_and_not_on_the_film():
    rng, film, absent = np.random.default_rng(1), np.full((ROWS, COLUMNS), 200, np.uint8), 0
    for _ in range(20):
        changed = change(film, rng, Changes(crop=1, flip=True, shift=0, turn_deg=0, **GREYS))
        column = np.stack([np.full(ROWS, 32.0), np.arange(ROWS, dtype=float)], 1)
        points, on = changed.moved(column)
        gone = (column[:, 1] < changed.kept[0]) | (column[:, 1] > changed.kept[1])
        assert not on[gone].any()
        cells = points[on].round().astype(int)
        assert (changed.film[cells[2:-2, 1], cells[2:-2, 0]] == 200).all()
        absent += int(gone.any())
    assert absent == 20


def test_no_change_is_no_change():
    film = spot((ROWS, COLUMNS), 20, 50)
    changed = change(film, np.random.default_rng(0), CALM)
    points, on = changed.moved(np.array([[20.0, 50.0], [70.0, 50.0]]))
    assert points == pytest.approx(np.array([[20.0, 50.0], [70.0, 50.0]]), abs=0.51)
    assert centre_of(changed.film) == pytest.approx(points[0], abs=0.05)
    assert on.tolist() == [True, False]


def test_black_margins_stay_black():
    film = spot((ROWS, COLUMNS), 32, 64)
    film[:, :8] = 0
    changed = change(film, np.random.default_rng(2), Changes(turn_deg=0, shift=0, zoom=0, stretch=0, crop=0, flip=False, noise=1, blur=0, brightness=0.3))
    assert not changed.film[:, :7].any()


def test_the_spot_of_the_pictures_left_is_named_left_on_a_mirrored_film_too():
    """One film with a bright spot at the corner that lies on the picture's left: its name stays with the side of the picture."""
    names = ("left", "right", "middle")
    truth = np.array([[[16.0, 40, 1], [48, 40, 1], [32, 90, 1]]], np.float32)
    films = LandmarkFilms(
        spot((ROWS, COLUMNS), 16, 40)[None, None], truth, Changes(turn_deg=0, shift=0, zoom=0, stretch=0, crop=0, flip=True, **GREYS), (1, 0, 2)
    )
    rng, bright_on = np.random.default_rng(0), set()
    for _ in range(12):
        pixels, available, moved = films.changed_batch(np.array([0]), rng)
        assert available.all()
        points = {name: moved[0, i, :2].numpy() for i, name in enumerate(names)}
        assert points["left"][0] < points["middle"][0] < points["right"][0]
        bright = min(names, key=lambda name: np.abs(points[name] - centre_of(pixels[0, 0].numpy())).sum())
        assert centre_of(pixels[0, 0].numpy()) == pytest.approx(points[bright], abs=0.1)
        bright_on.add(bright)
    assert bright_on == {"left", "right"}


def test_films_are_shown_unchanged_and_made_smaller_where_they_are_finer():
    truth = np.array([[[20.0, 50, 1]]], np.float32)
    fine = spot((2 * ROWS, 2 * COLUMNS), *finer(np.array([20.0, 50.0]), 2), radius=5)
    pixels, _, kept = LandmarkFilms(fine[None, None], truth, CALM, None, 2).batch(np.array([0, 0]))
    assert pixels.shape == (2, 1, ROWS, COLUMNS)
    assert centre_of(pixels[1, 0].numpy()) == pytest.approx([20, 50], abs=0.05)
    assert kept[0].tolist() == truth[0].tolist()


def test_an_absent_landmark_stays_absent():
    truth = np.array([[[20.0, 50, 0], [30.0, 60, 1]]], np.float32)
    films = LandmarkFilms(spot((ROWS, COLUMNS), 30, 60)[None, None], truth, Changes(), None)
    _, _, moved = films.changed_batch(np.zeros(8, np.int64), np.random.default_rng(0))
    assert not moved[:, 0, 2].any()
