import json

import numpy as np
import pytest
import torch

from spinelab.nn.column_maps import OFFSET_UNIT_PX
from spinelab.nn.heatmaps import centres, gaussians
from spinelab.train.column_head import BETWEEN_SHARE, SAMPLES, ColumnHead
from spinelab.train.landmark_settings import LandmarkSettings

LEVELS, STRIDE, ROWS, COLUMNS = 17, 4, 416, 176
HEAD = ColumnHead(LEVELS, LandmarkSettings(rows=ROWS, columns=COLUMNS, sigma=5.0), STRIDE)
SHAPE = (2 * ROWS, 2 * COLUMNS)


def corners(*, off=0.0, pitch=21.0):
    """Return a column whose curve and wedges have no left-right symmetry ``(17, 4, 2)``."""
    level = np.arange(LEVELS)
    middle = np.stack([80 + 14 * np.sin(level / 4), 32 + off + pitch * level], axis=1)
    box = np.array([[-13.0, -8.5], [13, -7.5], [-15, 8.5], [14, 7]])
    return middle[:, None] + box


def flipped(points):
    """Return the corners in the mirrored film: left ones become right ones."""
    return (points * [-1, 1] + [COLUMNS - 1, 0])[:, [1, 0, 3, 2]]


def maps_of(points, *, seen=None, late=0, share=0.95, width=9.0):
    """Return what a good network draws: ``seen`` vertebrae have a centre; the maps call every vertebra ``late`` levels too low."""
    seen = np.arange(LEVELS) if seen is None else np.asarray(seen)
    middle = torch.tensor(np.concatenate([points.mean(axis=1), np.ones((LEVELS, 1))], 1)[None], dtype=torch.float32)
    bumps, broad = (gaussians(middle, ROWS // STRIDE, COLUMNS // STRIDE, stride=STRIDE, sigma_px=sigma)[0] for sigma in (5.0, width))
    level = torch.full_like(bumps, 1e-6)
    level[late:] += broad[: LEVELS - late]
    cells = centres(*bumps.shape[-2:], STRIDE)
    nearest = ((cells - middle[0, :, None, None, :2]) ** 2).sum(-1).argmin(0)
    offsets = (torch.tensor(points, dtype=torch.float32)[nearest] - cells[:, :, None]) / OFFSET_UNIT_PX
    centre = torch.logit((share * bumps[seen].amax(0, keepdim=True)).clamp(1e-5, 1 - 1e-5))
    maps = torch.cat([level.log(), centre, offsets.permute(2, 3, 0, 1).reshape(8, *bumps.shape[-2:])])
    return maps[None], torch.zeros(1, LEVELS)


def read(outputs, calibration=None):
    return HEAD.read([outputs], calibration or {}, [SHAPE])[0]


def test_corners_and_levels_of_a_whole_column_are_read():
    seen = read(maps_of(corners()))
    assert seen.points.reshape(LEVELS, 4, 2) == pytest.approx(corners(), abs=0.05)
    assert (seen.there == 1).all()
    assert (seen.share > 0.7).all()
    assert seen.samples.shape == (SAMPLES, 4 * LEVELS, 2)
    assert seen.facts["alternatives"][0] == max(seen.facts["alternatives"].values())
    assert sum(seen.facts["alternatives"].values()) == pytest.approx(1)
    json.dumps(seen.facts["columns"])


def test_the_maps_of_a_mirrored_film_become_those_of_the_film():
    maps, _ = HEAD.unmirrored(maps_of(flipped(corners())))
    plain, _ = maps_of(corners())
    assert torch.allclose(maps[:, : LEVELS + 1], plain[:, : LEVELS + 1], atol=1e-3)
    near = plain[:, LEVELS : LEVELS + 1].sigmoid() > 0.1
    assert torch.allclose((maps * near)[:, LEVELS + 1 :], (plain * near)[:, LEVELS + 1 :], atol=1e-4)


def test_a_corner_on_the_left_of_the_picture_is_left_in_both_views():
    views = [maps_of(corners()), HEAD.unmirrored(maps_of(flipped(corners())))]
    points = HEAD.read(views, {}, [SHAPE])[0].points.reshape(LEVELS, 4, 2)
    assert points == pytest.approx(corners(), abs=0.05)
    assert (points[:, [0, 2], 0] < points[:, [1, 3], 0]).all()


def test_unmirroring_twice_changes_nothing():
    outputs = maps_of(corners())
    assert torch.allclose(HEAD.unmirrored(HEAD.unmirrored(outputs))[0], outputs[0])


def test_views_that_disagree_about_a_corner_widen_its_samples():
    moved = corners()
    moved[8, 0] += [0, 6]
    seen = HEAD.read([maps_of(corners()), maps_of(moved)], {}, [SHAPE])[0]
    spread = seen.samples.std(axis=0).reshape(LEVELS, 4, 2)
    assert spread[8, 0, 1] == pytest.approx(3, abs=0.5)
    assert spread[8, 1, 1] < 1


def test_a_vertebra_that_was_not_seen_lies_between_its_neighbours():
    seen = read(maps_of(corners(), seen=[k for k in range(LEVELS) if k != 9]))
    assert seen.facts["between"] == [9]
    assert seen.share.reshape(LEVELS, 4)[9] == pytest.approx(BETWEEN_SHARE)
    points = seen.points.reshape(LEVELS, 4, 2)
    assert points[9] == pytest.approx((points[8] + points[10]) / 2)
    assert seen.samples.std(axis=0).reshape(LEVELS, 4, 2)[9].min() > 2
    assert (seen.there == 1).all()


def test_levels_that_are_cut_off_are_absent():
    seen = read(maps_of(corners(), seen=range(4, LEVELS)))
    assert seen.there.reshape(LEVELS, 4)[:, 0].tolist() == [0.0] * 4 + [1.0] * 13


def test_a_first_level_that_was_not_seen_is_put_where_the_column_goes_on():
    seen = read(maps_of(corners(), seen=range(1, LEVELS)))
    assert seen.there.all()
    assert seen.facts["between"] == [0]
    assert np.abs(seen.points.reshape(LEVELS, 4, 2)[0] - corners()[0]).max() < 2
    assert seen.share.reshape(LEVELS, 4)[0, 0] < 0.1 < seen.share.reshape(LEVELS, 4)[1, 0]


def test_a_blank_film_shows_nothing():
    seen = read((torch.full((1, HEAD.maps, ROWS // STRIDE, COLUMNS // STRIDE), -9.0), torch.zeros(1, LEVELS)))
    assert not seen.there.any()
    assert seen.facts == {}
    assert np.isfinite(seen.samples).all()


def held_out(n=24, *, wrong=5):
    """Return sightings of films, some of whose vertebrae were named a level too low, and the true corners."""
    rng, sightings, truth = np.random.default_rng(0), [], []
    for number in range(n):
        points = corners(off=rng.normal(0, 2.0), pitch=20.5 + rng.normal(0, 0.1))
        rows = np.arange(2, 14)
        sightings.append(read(maps_of(points, seen=rows, late=int(number < wrong), width=14.0 if number < wrong else 8.0)))
        truth.append(np.concatenate([points.reshape(-1, 2), np.ones((4 * LEVELS, 1))], axis=1))
    return sightings, np.array(truth, np.float32)


def test_held_out_films_teach_how_sure_the_names_are():
    sightings, truth = held_out()
    learnt = HEAD.calibrate(sightings, truth, {})
    assert json.loads(json.dumps(learnt)) == learnt
    assert set(learnt) == {"temperature", "framing_weight", "certainty", "films_learnt", "error"}
    right = read(maps_of(truth[20].reshape(LEVELS, 4, 3)[..., :2], seen=range(2, 14)), learnt)
    assert 0.5 < right.facts["certainty"] < 1
    assert HEAD.calibrate(sightings[:10], truth[:10], {}) == {}


def test_no_more_certainty_is_stated_than_so_many_films_allow():
    """Laplace's rule of succession: 24 films that were all named rightly promise 25 of 26."""
    sightings, truth = held_out(wrong=0)
    learnt = HEAD.calibrate(sightings, truth, {})
    assert learnt["films_learnt"] == 24
    sure = {"slope": [0.0] * 4, "intercept": [9.0]}
    whole, part = maps_of(corners()), maps_of(corners(), seen=range(5, 14))
    assert read(whole, learnt | {"certainty": sure}).facts["certainty"] == pytest.approx(25 / 26)
    assert read(whole, {"certainty": sure}).facts["certainty"] > 0.999, "an older model does not remember how many films there were"
    assert read(part, {"part_certainty": sure, "parts_learnt": 40, "films_learnt": 10}).facts["certainty"] == pytest.approx(41 / 42)
    assert read(part, {"certainty": sure, "films_learnt": 10}).facts["certainty"] == pytest.approx(11 / 12)


def test_films_are_cut_below_a_part_of_the_column_and_above_another():
    for off in range(6):
        points = corners(off=off).reshape(-1, 2)
        rows = points.reshape(LEVELS, 4, 2)[..., 1].mean(axis=1)
        (first, above), (below, last) = HEAD.cuts(points)
        assert (first, last) == (0, None)
        assert 5 <= (rows < above).sum() <= LEVELS - 3
        assert 5 <= (rows > below).sum() <= LEVELS - 3
        assert HEAD.cuts(points) == [(0, above), (below, None)]
    assert len({tuple(HEAD.cuts(corners(off=off).reshape(-1, 2))) for off in range(6)}) > 1
    assert HEAD.cuts(np.where(np.arange(4 * LEVELS)[:, None] == 9, np.nan, points)) == []


def test_names_on_parts_of_films_are_as_certain_as_those_of_held_out_parts():
    parts, truth = [], []
    for number in range(30):
        points = corners(off=number / 10)
        parts.append(read(maps_of(points, seen=range(5, 14), late=number % 2)))
        truth.append(np.concatenate([points.reshape(-1, 2), np.ones((4 * LEVELS, 1))], axis=1))
    truth = np.array(truth, np.float32)
    learnt = HEAD.learn_parts(parts, truth)
    assert json.loads(json.dumps(learnt)) == learnt
    assert learnt["parts_learnt"] == 30
    sure = {"slope": [0.0] * 4, "intercept": [9.0]}
    part, whole = maps_of(corners(), seen=range(5, 14)), maps_of(corners())
    assert read(part, {"certainty": sure} | learnt).facts["certainty"] == pytest.approx(0.5, abs=0.05), "every second one of these was named rightly"
    assert read(part, {"certainty": sure}).facts["certainty"] > 0.99
    assert read(whole, {"certainty": sure} | learnt).facts["certainty"] > 0.99
    assert HEAD.learn_parts(parts[:10], truth[:10]) == {}
    assert HEAD.learn_parts([read(whole)] * 30, truth) == {}, "whole films tell nothing of parts"


def test_what_neighbours_are_to_each_other_is_learnt_from_marks_and_its_limits_from_what_is_read():
    rng = np.random.default_rng(1)
    marked = np.stack([corners(off=rng.normal(0, 2.0)) + rng.normal(0, 0.8, (LEVELS, 4, 2)) for _ in range(40)])
    marked[::15, 8] += [12, 0]
    truth = np.concatenate([marked.reshape(40, -1, 2), np.ones((40, 4 * LEVELS, 1))], axis=2).astype(np.float32)
    learnt = HEAD.learn(truth, [SHAPE] * 40)
    assert json.loads(json.dumps(learnt)) == learnt
    sightings, held = held_out()
    calibrated = HEAD.calibrate(sightings, held, learnt)
    assert calibrated["miscounted"] == {"films": 0, "right": 0}
    assert calibrated["neighbours"]["spacing"]["usual"] == learnt["neighbours"]["spacing"]["usual"]
    assert calibrated["neighbours"]["aside"]["limit"] < learnt["neighbours"]["aside"]["limit"], "some marks are wrong, the readings are not"
    assert "neighbours" not in HEAD.calibrate(sightings, held, {}), "a head that learnt nothing of neighbours invents no limits"


def test_where_films_are_usually_framed_corrects_a_wrong_name():
    rng = np.random.default_rng(5)
    columns = [corners(off=rng.normal(0, 2.0), pitch=20.5 + rng.normal(0, 0.1)).reshape(-1, 2) for _ in range(40)]
    truth = np.concatenate([np.array(columns), np.ones((40, 4 * LEVELS, 1))], axis=2).astype(np.float32)
    learnt = HEAD.learn(truth, [SHAPE] * len(truth))
    rows = np.arange(2, 14)
    outputs = maps_of(corners(pitch=20.5), seen=rows, late=1, width=16.0)
    misnamed = read(outputs, {"temperature": 8.0, "framing_weight": 0.0})
    corrected = read(outputs, learnt | {"temperature": 8.0, "framing_weight": 0.8})
    assert np.flatnonzero(misnamed.there.reshape(LEVELS, 4)[:, 0])[0] == 3
    assert np.flatnonzero(corrected.there.reshape(LEVELS, 4)[:, 0])[0] == 2
    assert HEAD.learn(truth[:10], [SHAPE] * 10) == {}
