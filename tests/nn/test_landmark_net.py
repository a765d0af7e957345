import pytest
import torch

from spinelab.nn.landmark_net import SIZES, STRIDES, CompactUNet, UNet, landmark_net
from spinelab.nn.names import LANDMARK_NETWORKS
from spinelab.nn.vertebra_net import CROP, VertebraLoss, VertebraNet


def test_every_name_has_its_sizes_and_stride():
    assert set(LANDMARK_NETWORKS) == set(SIZES) == set(STRIDES)
    assert isinstance(landmark_net("unet", 2, 2), UNet)
    assert isinstance(landmark_net("compact", 2, 2), CompactUNet)


@pytest.mark.parametrize("name", LANDMARK_NETWORKS)
def test_maps_are_the_film_by_the_stride_and_the_summary_a_number_each(name):
    net = landmark_net(name, 5, 3).eval()
    with torch.inference_mode():
        maps, summary = net(torch.zeros(2, 1, 96, 64, dtype=torch.uint8))
    assert maps.shape == (2, 5, 96 // STRIDES[name], 64 // STRIDES[name])
    assert summary.shape == (2, 3)
    assert torch.isfinite(maps).all()


def test_a_canvas_of_any_sixteenth_is_taken():
    net = landmark_net("compact-small", 2, 1).eval()
    with torch.inference_mode():
        assert net(torch.zeros(1, 1, 112, 80, dtype=torch.uint8))[0].shape == (1, 2, 28, 20)


def test_a_vertebras_level_can_be_told_from_the_whole_film():
    """The compact network's map answers to what lies anywhere on the film: levels are told by their surroundings."""
    torch.manual_seed(0)
    net = landmark_net("compact-small", 1, 1).eval()
    film = torch.randint(0, 255, (1, 1, 256, 64), dtype=torch.uint8)
    other = film.clone()
    other[..., 240:, :] = 0
    with torch.inference_mode():
        assert (net(film)[0] - net(other)[0])[..., :4, :].abs().max() > 0


def test_the_answer_does_not_depend_on_the_other_films_of_a_batch():
    torch.manual_seed(1)
    net = landmark_net("compact-small", 3, 2).eval()
    films = torch.randint(0, 255, (3, 1, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        together, alone = net(films)[0], net(films[1:2])[0]
    assert torch.allclose(together[1:2], alone, atol=1e-4)


def test_a_vertebra_network_answers_inside_its_crop():
    torch.manual_seed(0)
    net = VertebraNet().eval()
    with torch.inference_mode():
        corners, variance = net(torch.randint(0, 255, (2, 1, *CROP), dtype=torch.uint8))
    assert corners.shape == (2, 4, 2)
    assert variance.shape == (2, 4)
    assert (corners >= 0).all()
    assert (corners < torch.tensor([CROP[1], CROP[0]])).all()
    assert (variance > 0).all()


def test_the_loss_of_corners_is_zero_at_the_truth_and_leaves_absent_vertebrae_out():
    truth = torch.tensor([[[30.0, 20, 1], [80, 20, 1], [30, 60, 1], [80, 60, 1]], [[0.0, 0, 0]] * 4])
    right = truth[..., :2].clone()
    right[1] = 55
    criterion, none = VertebraLoss(), torch.zeros(2, 4)
    assert float(criterion((right, none), truth)) == pytest.approx(0, abs=1e-5)
    shifted = right + torch.tensor([3.0, 0.0])
    assert float(criterion((shifted, none), truth)) == pytest.approx((3 - 0.5) / 2, rel=1e-4)
    assert float(criterion((right, none + 10), truth)) > 0


def test_a_turned_vertebra_costs_more_than_a_moved_one():
    truth = torch.tensor([[[30.0, 20, 1], [80, 20, 1], [30, 60, 1], [80, 60, 1]]])
    turned, moved = truth[..., :2].clone(), truth[..., :2].clone()
    turned[0, :, 1] += torch.tensor([-3.0, 3, -3, 3])
    moved[0, :, 1] += 3
    criterion = VertebraLoss()
    assert float(criterion((turned, torch.zeros(1, 4)), truth)) > float(criterion((moved, torch.zeros(1, 4)), truth)) + 0.5
