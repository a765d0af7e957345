import numpy as np
import pytest
import torch
from torch import nn

from spinelab.nn.heatmaps import gaussians
from spinelab.train.canvas import Changes, finer
from spinelab.train.landmark_head import SAMPLES, Sighting
from spinelab.train.landmark_settings import LandmarkSettings
from spinelab.train.zoom import LEAST_SIDE, MARGIN, Box, Votes, Zoom, ZoomRefiner, box_of, cut

SIDE = 64
ZOOM = Zoom(((0, 1), (2,)), SIDE, 4.0)
CALM = Changes(turn_deg=0, shift=0, zoom=0, stretch=0, crop=0, flip=False, gamma=0, contrast=0, brightness=0, noise=0, blur=0)


def spots(shape, *points, radius=2.5):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.clip(sum(255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2)) for x, y in points), 0, 255).astype(np.uint8)


class Shown(nn.Module):
    """Draws the same known maps for every picture."""

    def __init__(self, truth, absent=-9.0):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.truth, self.absent = truth, absent

    def forward(self, films):
        maps = (gaussians(self.truth, SIDE // 4, SIDE // 4, stride=4, sigma_px=3.5) + 1e-6).log()
        return maps.expand(len(films), -1, -1, -1), torch.full((len(films), self.truth.shape[1]), self.absent)


class Brightest(nn.Module):
    """Takes the picture itself as the map of every landmark."""

    def __init__(self, count):
        super().__init__()
        self.weight, self.count = nn.Parameter(torch.zeros(1)), count

    def forward(self, films):
        small = nn.functional.avg_pool2d(films.float() / 255, 4)
        return (small + 1e-4).log().expand(-1, self.count, -1, -1), torch.full((len(films), self.count), -9.0)


def sighting(points, there=None):
    points = np.array(points, np.float64)
    there = np.ones(len(points)) if there is None else np.array(there, np.float64)
    return Sighting(points, there, there, np.repeat(points[None], SAMPLES, axis=0))


def settings(**changes):
    return LandmarkSettings(rows=256, columns=128, **changes)


def test_a_box_holds_its_points_with_a_margin():
    box = box_of(np.array([[10.0, 20.0], [50.0, 40.0]]), 300)
    assert box.middle == (30, 30)
    assert box.side == pytest.approx(40 * (1 + 2 * MARGIN))
    assert box_of(np.array([[10.0, 20.0]]), 300).side == pytest.approx(LEAST_SIDE * 300 * (1 + 2 * MARGIN))


def test_the_matrix_of_a_box_maps_its_middle_to_the_middle_and_its_side_to_the_side():
    matrix = Box((70.0, 90.0), 32.0).matrix(SIDE)
    assert matrix @ [70, 90, 1] == pytest.approx([(SIDE - 1) / 2] * 2)
    assert matrix @ [70 + 16, 90 - 16, 1] == pytest.approx([(SIDE - 1) / 2 + SIDE / 2, (SIDE - 1) / 2 - SIDE / 2])


def test_a_spot_is_in_the_cut_where_the_matrix_says():
    box, point = Box((70.0, 90.0), 40.0), np.array([61.3, 97.6])
    picture = cut(spots((200, 128), point), box, SIDE).astype(float)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    found = np.array([(picture * columns).sum(), (picture * rows).sum()]) / picture.sum()
    assert found == pytest.approx(box.matrix(SIDE) @ [*point, 1], abs=0.15)


@pytest.mark.parametrize("detail", [1, 2])
def test_a_place_in_the_box_is_mapped_back_to_the_film_exactly(detail):
    points = finer(np.array([[40.0, 60.0], [64.0, 80.0], [90.0, 200.0]]), detail)
    known = torch.tensor([[[29.5, 33.5, 1.0], [33.5, 25.5, 1.0], [37.5, 29.5, 1.0]]])
    film = np.zeros((256 * detail, 128 * detail), np.uint8)
    groups = [[0, 1], [2]]
    boxes = [box_of(points[group], 256 * detail) for group in groups]
    found = ZoomRefiner(3, ZOOM, settings(detail=detail), None)._found(Shown(known), film, groups, boxes)
    for i, box in ((0, boxes[0]), (1, boxes[0]), (2, boxes[1])):
        whole = np.vstack([box.matrix(SIDE), [0, 0, 1]])
        assert found[i].points == pytest.approx((np.linalg.inv(whole) @ [*known[0, i, :2].tolist(), 1])[None, :2], abs=0.01)
        assert np.sqrt(np.diag(found[i].spread)) == pytest.approx(np.full(2, np.sqrt(3.5**2 + 16 / 12)) * box.side / SIDE, rel=0.15)


def test_what_several_boxes_disagree_about_widens_the_spread():
    votes = Votes(np.array([[10.0, 5.0], [14.0, 5.0]]), np.repeat(np.eye(2)[None], 2, axis=0), np.ones(2))
    assert votes.spread == pytest.approx(np.array([[1 + 8.0, 0], [0, 1]]))
    # A network that answers the same whatever the box shows is seen through: its points wander with the boxes.
    seen, film = sighting([[40.0, 60.0], [64.0, 80.0], [90.0, 200.0]]), np.zeros((1, 1, 256, 128), np.uint8)
    known = torch.tensor([[[29.5, 33.5, 1.0], [33.5, 25.5, 1.0], [37.5, 29.5, 1.0]]])
    (found,) = ZoomRefiner(3, ZOOM, settings(), None).refine(Shown(known), film, [seen])
    alone = ZoomRefiner(3, ZOOM, settings(), None)._found(Shown(known), film[0, 0], [[2]], [box_of(seen.points[2:], 256)])
    assert found.samples[:, 2].std(axis=0).min() > np.sqrt(np.diag(alone[2].spread)).max()


def test_looking_from_near_finds_the_spot_also_in_the_mirrored_picture():
    spot = np.array([66.4, 103.7])
    film = spots((256, 128), spot, radius=1.2)[None, None]
    for mirror in (None, (0,)):
        (found,) = ZoomRefiner(1, Zoom(((0,),), SIDE, 4.0), settings(), mirror).refine(Brightest(1), film, [sighting([spot + np.array([4, -3])])])
        assert found.points[0] == pytest.approx(spot, abs=0.25)


def test_a_point_that_is_not_seen_from_near_stays_and_an_absent_one_is_not_looked_for():
    seen = sighting([[40.0, 60.0], [64.0, 80.0], [90.0, 200.0]], [1, 0, 1])
    film = np.zeros((1, 1, 256, 128), np.uint8)
    known = torch.tensor([[[20.0, 20.0, 1.0]] * 3])
    (unsure,) = ZoomRefiner(3, ZOOM, settings(), None).refine(Shown(known, absent=9.0), film, [seen])
    assert unsure.points == pytest.approx(seen.points)
    (found,) = ZoomRefiner(3, ZOOM, settings(), None).refine(Shown(known), film, [seen])
    assert found.points[1] == pytest.approx(seen.points[1])
    assert not np.allclose(found.points[2], seen.points[2])
    nothing = sighting([[40.0, 60.0]] * 3, [0, 0, 0])
    assert ZoomRefiner(3, ZOOM, settings(), None).refine(Shown(known), film, [nothing])[0] is nothing


@pytest.mark.parametrize("flip", [False, True])
def test_training_boxes_have_their_landmarks_where_the_spots_are_and_keep_sides(flip):
    truth = np.array([[[40.0, 100, 1], [70, 104, 1], [90, 30, 0]]], np.float32)
    film = spots((256, 128), (40, 100))[None, None]
    films = ZoomRefiner(3, ZOOM, settings(), (1, 0, 2)).films(film, truth, Changes(**{**vars(CALM), "flip": flip}), (1, 0, 2))
    rng, bright = np.random.default_rng(0), set()
    for _ in range(10):
        pictures, available, landmarks = films.changed_batch(np.array([0]), rng)
        assert len(pictures) == len(available) == 1
        picture = pictures[0, 0].numpy().astype(float)
        rows, columns = np.mgrid[:SIDE, :SIDE]
        spot = np.array([(picture * columns).sum(), (picture * rows).sum()]) / picture.sum()
        apart = np.abs(landmarks[0, :2, :2].numpy() - spot).max(axis=1)
        assert apart.min() < 1
        assert landmarks[0, 0, 0] < landmarks[0, 1, 0]
        bright.add(int(apart.argmin()))
    assert bright == ({0, 1} if flip else {0})


def test_a_film_without_landmarks_gives_an_empty_picture():
    films = ZoomRefiner(3, ZOOM, settings(), None).films(np.zeros((1, 1, 256, 128), np.uint8), np.zeros((1, 3, 3), np.float32), CALM, None)
    pictures, _, landmarks = films.batch(np.array([0]))
    assert pictures.shape == (1, 1, SIDE, SIDE)
    assert not landmarks.any()
