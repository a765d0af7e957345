import numpy as np
import pytest
import torch
from torch import nn

from spinelab.nn.vertebra_net import CROP, WIDTH_PX
from spinelab.train.canvas import Changes, finer
from spinelab.train.landmark_head import SAMPLES, Sighting
from spinelab.train.vertebra_crops import AN_EPOCH, FIRST_SHARE, FLIPPED, VertebraRefiner, frames_of

LEVELS = 6
MIDDLE = np.array([(CROP[1] - 1) / 2, (CROP[0] - 1) / 2])
CALM = Changes(flip=False, gamma=0, contrast=0, brightness=0)


def corners(*, lean=0.0):
    """Return a column of wedges without left-right symmetry ``(6, 4, 2)``, leaning as a whole."""
    box = np.array([[-13.0, -11], [14, -10], [-14, 12], [15, 9]])
    turn = np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]])
    along = np.array([0, 1]) @ turn
    return np.array([120.0, 60]) + 48 * np.arange(LEVELS)[:, None, None] * along + box @ turn


def dotted(points, shape=(340, 240)):
    """Return a dark film with a bright dot at every corner."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    film = np.zeros(shape)
    for x, y in points.reshape(-1, 2):
        film += np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.2**2))
    return (255 * film.clip(0, 1)).astype(np.uint8)


class DotFinder(nn.Module):
    """Finds the bright dot in each quarter of a crop: upper left, upper right, lower left, lower right."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, crops):
        found = []
        rows, columns = np.mgrid[: CROP[0], : CROP[1]]
        for crop in crops[:, 0].double().numpy():
            for down in (False, True):
                for right in (False, True):
                    weight = np.clip(crop - 40, 0, None) * ((rows > MIDDLE[1]) == down) * ((columns > MIDDLE[0]) == right)
                    found.append([(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()])
        return torch.tensor(np.array(found).reshape(-1, 4, 2)), torch.zeros(len(crops), 4)


@pytest.mark.parametrize("rng", [None, np.random.default_rng(0)], ids=["exact", "off"])
def test_to_the_crop_and_back_is_exact(rng):
    frames, points = frames_of(corners(lean=0.3), rng), np.random.default_rng(1).uniform(0, 300, (LEVELS, 9, 2))
    assert frames.to_film(frames.to_crop(points)) == pytest.approx(points)
    assert frames.to_crop(frames.to_film(points)) == pytest.approx(points)


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.35])
def test_a_crop_shows_its_vertebra_upright_in_the_middle_and_always_as_wide(lean):
    shown = frames_of(corners(lean=lean)).to_crop(corners(lean=lean))
    assert shown.mean(axis=1) == pytest.approx(np.tile(MIDDLE, (LEVELS, 1)))
    assert shown == pytest.approx(frames_of(corners()).to_crop(corners()), abs=1e-6)
    along = shown[:, 1] + shown[:, 3] - shown[:, 0] - shown[:, 2]
    assert np.linalg.norm(along, axis=1) / 2 == pytest.approx(WIDTH_PX)
    assert (shown[:, :2, 1] < shown[:, 2:, 1]).all()
    assert (shown[:, [0, 2], 0] < shown[:, [1, 3], 0]).all()


def test_dots_are_in_the_crop_where_the_frame_says():
    points = corners(lean=0.2)
    frames = frames_of(points)
    found = DotFinder()(torch.from_numpy(frames.cut(dotted(points))[:, None]))[0].numpy()
    assert found == pytest.approx(frames.to_crop(points), abs=0.3)


def test_a_mirrored_film_gives_mirrored_crops():
    points = corners(lean=0.2)
    film = dotted(points)
    turned = (points * [-1, 1] + [film.shape[1] - 1, 0])[:, FLIPPED]
    plain, mirrored = frames_of(points).cut(film), frames_of(turned).cut(np.ascontiguousarray(film[:, ::-1]))
    assert np.abs(plain.astype(int) - mirrored[:, :, ::-1]).mean() < 1


@pytest.mark.parametrize("flip", [False, True])
def test_training_crops_have_their_corners_where_the_dots_are(flip):
    points = corners(lean=-0.1)
    truth = np.concatenate([points, np.ones((LEVELS, 4, 1))], axis=2).reshape(1, -1, 3).astype(np.float32)
    limits = Changes(flip=flip, gamma=0, contrast=0, brightness=0)
    films = VertebraRefiner(LEVELS, 1).films(dotted(points)[None, None], truth, limits, (0,))
    crops, available, wanted = films.changed_batch(np.array([0, 0]), np.random.default_rng(3))
    assert len(crops) == len(available) == 2 * min(LEVELS, AN_EPOCH)
    assert DotFinder()(crops)[0].numpy() == pytest.approx(wanted[..., :2].numpy(), abs=0.8)
    assert (wanted[..., 2] == 1).all()


def test_training_leaves_out_vertebrae_that_are_not_on_the_film():
    truth = np.concatenate([corners(), np.ones((LEVELS, 4, 1))], axis=2)
    truth[2, 1, 2] = 0
    films = VertebraRefiner(LEVELS, 1).films(dotted(corners())[None, None], truth.reshape(1, -1, 3).astype(np.float32), CALM, None)
    assert len(films.batch(np.array([0]))[0]) == LEVELS - 1
    truth[1:, :, 2] = 0
    films = VertebraRefiner(LEVELS, 1).films(dotted(corners())[None, None], truth.reshape(1, -1, 3).astype(np.float32), CALM, None)
    assert len(films.batch(np.array([0]))[0]) == 0


def sighting(points, there=None):
    there = np.ones(4 * LEVELS) if there is None else there
    return Sighting(points.reshape(-1, 2), there, there, np.repeat(points.reshape(1, -1, 2), SAMPLES, axis=0), {"certainty": 0.9})


@pytest.mark.parametrize("detail", [1, 2])
def test_looking_from_near_brings_each_corner_to_its_dot(detail):
    """The film is ``detail`` times finer than the canvas on which the first network saw the corners, some pixels off."""
    points = corners(lean=0.15)
    off = points + np.random.default_rng(0).normal(0, 1.0, points.shape)
    (seen,) = VertebraRefiner(LEVELS, detail).refine(DotFinder(), dotted(points)[None, None], [sighting(finer(off, 1 / detail))])
    assert seen.points.reshape(LEVELS, 4, 2) == pytest.approx(finer(points, 1 / detail), abs=0.5)
    assert seen.samples.std(axis=0).max() < 0.5
    assert seen.facts == {"certainty": 0.9}


def test_what_the_first_network_saw_keeps_its_share_in_the_mean():
    points = corners(lean=0.15)
    exact, moved = (VertebraRefiner(LEVELS, 1).refine(DotFinder(), dotted(points)[None, None], [sighting(points + by)])[0].points for by in (0.0, 2.0))
    assert moved - exact == pytest.approx(FIRST_SHARE * 2.0, abs=0.1)


def test_vertebrae_that_were_not_found_stay_as_they_are():
    there = np.ones((LEVELS, 4))
    there[4:] = 0
    points = corners()
    (seen,) = VertebraRefiner(LEVELS, 1).refine(DotFinder(), dotted(points)[None, None], [sighting(points + 2, there.ravel())])
    assert seen.points.reshape(LEVELS, 4, 2)[4:] == pytest.approx(points[4:] + 2)
    assert seen.points.reshape(LEVELS, 4, 2)[:4] == pytest.approx(points[:4] + 2 * FIRST_SHARE, abs=0.35)
    alone = sighting(points, np.repeat([1.0, 0, 0, 0, 0, 0], 4))
    assert VertebraRefiner(LEVELS, 1).refine(DotFinder(), dotted(points)[None, None], [alone])[0] is alone
