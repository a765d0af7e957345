import cv2
import numpy as np
import pytest

from spinelab.experiments.duplicates import Duplicate, find_duplicates, fingerprint, merge_groups, perceptual_hash
from spinelab.experiments.local_features import _shared, overlays
from spinelab.tasks.landmarks.phantom import draw

RNG = np.random.default_rng(0)


def film(seed: int) -> np.ndarray:
    """A picture with structure at all scales, as films have."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((320, 200), np.float32)
    for cells in (4, 8, 16, 32):
        picture += cv2.resize(rng.normal(0, 1, (cells * 2, cells)).astype(np.float32), (200, 320), interpolation=cv2.INTER_CUBIC) * 40 / np.sqrt(cells)
    return np.clip(128 + picture, 0, 255).astype(np.uint8)


def prints(*pictures: np.ndarray):
    return [fingerprint(i, "", None, p) for i, p in enumerate(pictures)]


CHANGES = {
    "recompressed": lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_GRAYSCALE),
    "smaller": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brighter": lambda p: np.clip(p * 1.1 + 12.0, 0, 255).astype(np.uint8),
    "noisier": lambda p: np.clip(p + RNG.normal(0, 8, p.shape), 0, 255).astype(np.uint8),
    "cropped": lambda p: p[8:-6, 4:-5],
    "shifted": lambda p: np.roll(p, 5, axis=0),
}


RECROPPED = {
    "less at the top": lambda p: p[90:],
    "less on one side, stretched": lambda p: cv2.resize(p[:, 50:], (260, 300), interpolation=cv2.INTER_CUBIC),
    "less all around, darker": lambda p: (255 * (p[40:-30, 25:-20] / 255.0) ** 1.6).astype(np.uint8),
}


@pytest.mark.parametrize("change", RECROPPED)
def test_a_copy_that_was_cropped_anew_is_found_by_what_it_shows(change):
    found = find_duplicates(prints(film(1), film(2), film(3), RECROPPED[change](film(1))))
    assert [(d.a, d.b, d.kind) for d in found] == [(0, 3, "near")]


def test_copies_that_are_known_are_not_laid_on_each_other_again(monkeypatch):
    """One copy has the same pixels, one is known by its hash: nothing is left for the small structures."""
    laid = []
    monkeypatch.setattr(cv2, "estimateAffine2D", lambda *_, **__: laid.append(1) or (None, None))
    found = find_duplicates(prints(film(1), film(1), CHANGES["recompressed"](film(1)), film(2)))
    assert [(d.a, d.b, d.kind) for d in found] == [(0, 1, "exact"), (0, 2, "near")]
    assert not laid


def test_what_pictures_share_is_counted_alike_whatever_was_done_before():
    pictures = [one.structures for one in prints(*(film(seed) for seed in range(12)))]
    first = _shared(pictures)
    cv2.setRNGSeed(7)
    assert _shared(pictures) == first == _shared(pictures)


def test_overlays_leave_out_pairs_that_are_known():
    pictures = [one.structures for one in prints(film(1), film(2), film(1)[90:])]
    assert [(o.a, o.b) for o in overlays(pictures)] == [(0, 2)]
    assert list(overlays(pictures, known={(0, 2)})) == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change):
    found = find_duplicates(prints(film(1), film(2), CHANGES[change](film(1))))
    assert [(d.a, d.b, d.kind) for d in found] == [(0, 2, "near")]


def test_exact_mirrored_and_negative_copies_are_named():
    found = find_duplicates(prints(film(1), film(1), film(2)[:, ::-1].copy(), film(2), 255 - film(3), film(3)))
    assert {(d.a, d.b, d.kind) for d in found} == {(0, 1, "exact"), (2, 3, "mirrored"), (4, 5, "negative")}


def test_different_pictures_are_not_duplicates():
    assert find_duplicates(prints(*(film(s) for s in range(40)))) == []


def test_blank_pictures_are_exact_duplicates_only():
    blank, grey = np.zeros((50, 50), np.uint8), np.full((50, 50), 90, np.uint8)
    assert [(d.a, d.b) for d in find_duplicates(prints(blank, grey, blank))] == [(0, 2)]


def test_many_equal_pictures_are_paired_with_the_first():
    assert [(d.a, d.b) for d in find_duplicates(prints(*[film(1)] * 4))] == [(0, 1), (0, 2), (0, 3)]


def test_the_hash_ignores_brightness_and_contrast():
    thumbnail = cv2.resize(film(1), (96, 96), interpolation=cv2.INTER_AREA).astype(np.float32)
    assert np.array_equal(perceptual_hash(thumbnail), perceptual_hash(thumbnail * 0.5 + 20))


def test_patients_who_share_a_picture_become_one_group():
    pairs = [Duplicate(0, 1, "", "", "exact", 1.0), Duplicate(1, 2, "", "", "near", 0.95)]
    merged = merge_groups(["a", "b", "c", "d"], pairs)
    assert merged[0] == merged[1] == merged[2] != merged[3]


@pytest.mark.parametrize("pair", [(19, 79), (74, 77), (77, 79)])
def test_two_patients_drawn_alike_are_not_copies(pair):
    """The coarse detail of these correlates by more than .90 after registration: a bright column in a dark frame."""
    pictures = [draw(np.random.default_rng([3, number]), "easy").pixels for number in pair]
    assert find_duplicates(prints(*pictures)) == []
    copy = CHANGES["recompressed"](CHANGES["smaller"](pictures[0]))
    assert [(d.a, d.b, d.kind) for d in find_duplicates(prints(*pictures, copy))] == [(0, 2, "near")]
