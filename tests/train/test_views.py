"""Looking at a film several times: what a moved film shows lies where it lies on the film."""

import pytest
import torch

from spinelab.train.column_head import ColumnHead
from spinelab.train.landmark_settings import LandmarkSettings
from spinelab.train.views import looks, moved


def test_moving_there_and_back_loses_only_the_edge():
    picture = torch.arange(48.0).reshape(1, 1, 6, 8)
    for down, right in ((2, 1), (-2, -1), (2, -3), (-1, 2), (0, 0)):
        there = moved(picture, torch.zeros_like(picture), down, right)
        back = moved(there, torch.full_like(picture, -1.0), -down, -right)
        kept = back >= 0
        assert kept.sum() == (6 - abs(down)) * (8 - abs(right))
        assert torch.equal(back[kept], picture[kept])


def test_a_mark_on_the_film_is_seen_at_its_place_in_every_look():
    film = torch.zeros(1, 1, 64, 48, dtype=torch.uint8)
    film[0, 0, 32:36, 20:24] = 200

    def net(films):
        return films[:, :, ::4, ::4].float(), films.float().mean(dim=(2, 3))

    found = looks(net, film, ((8, 4), (-8, -4), (8, -4)), 4)
    assert len(found) == 4
    for maps, logits in found:
        assert torch.equal(maps, found[0][0])
        assert logits.shape == (1, 1)


def test_what_a_moved_film_has_lost_comes_from_the_film_as_it_is():
    film = torch.zeros(1, 1, 64, 48, dtype=torch.uint8)
    film[0, 0, :4] = 200  # at the upper edge: gone from a film that is moved up

    def net(films):
        return films[:, :, ::4, ::4].float(), films.float().mean(dim=(2, 3))

    for maps, _ in looks(net, film, ((-8, 0), (8, 0)), 4):
        assert (maps[0, 0, 0] == 200).all()
        assert (maps[0, 0, 1:] == 0).all()


@pytest.mark.parametrize(("rows", "stride", "down", "right"), [(416, 4, 24, 8), (416, 8, 24, 8), (832, 4, 48, 16), (96, 4, 4, 4)])
def test_a_column_is_moved_by_about_a_vertebra_in_whole_cells_whatever_the_canvas(rows, stride, down, right):
    head = ColumnHead(17, LandmarkSettings(rows=rows), stride)
    assert sorted(head.shifts) == [(-down, -right), (-down, right), (down, -right), (down, right)]
