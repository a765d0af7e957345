"""Masks of a film: read from several forms, refused where they do not fit."""

from pathlib import Path

import cv2
import nibabel
import numpy as np
import pytest

from spinelab.core import Explanation, Image, InputError, Model, Study
from spinelab.serve.masks import check_laid_over, read_mask

DRAWN = np.zeros((30, 20), np.uint8)
DRAWN[5:12, 3:9] = 255
FILM = Study("film", images=(Image(np.zeros((30, 20), np.uint8)),))


def written(folder: Path, name: str, pixels: np.ndarray) -> Path:
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, pixels)
    elif name.endswith(".png"):
        cv2.imwrite(str(path), pixels)
    else:
        nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(pixels.T)[..., None], np.eye(4)), path)
    return path


@pytest.mark.parametrize("name", ["mask.png", "mask.npy", "mask.nii", "mask.nii.gz"])
def test_every_form_gives_the_same_mask(tmp_path: Path, name: str) -> None:
    assert np.array_equal(read_mask(written(tmp_path, name, DRAWN), FILM), DRAWN > 0)


def test_labels_colours_and_transparency(tmp_path: Path) -> None:
    """A label 1 of 255 is hardly seen and counts; an opaque black picture is no mask."""
    assert np.array_equal(read_mask(written(tmp_path, "label.png", DRAWN // 255), FILM), DRAWN > 0)
    red = np.zeros((30, 20, 4), np.uint8)
    red[..., 3] = 255
    red[..., 2] = DRAWN
    assert np.array_equal(read_mask(written(tmp_path, "red.png", red), FILM), DRAWN > 0)


@pytest.mark.parametrize(
    ("name", "pixels", "said"),
    [
        ("large.png", np.ones((60, 40), np.uint8), "40 x 60 pixels, the film 20 x 30"),
        ("turned.npy", DRAWN.T, "30 x 20 pixels, the film 20 x 30"),
        ("empty.png", DRAWN * 0, "0 everywhere"),
        ("volume.npy", np.ones((5, 30, 20)), "shape"),
        ("objects.npy", np.array([{"a": 1}], dtype=object), "cannot be read"),
        ("mask.jpg", DRAWN, "is no mask"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(tmp_path: Path, name: str, pixels: np.ndarray, said: str) -> None:
    path = tmp_path / name
    if name.endswith(".jpg"):
        cv2.imwrite(str(path), pixels)
    else:
        written(tmp_path, name, pixels)
    with pytest.raises(InputError, match=said):
        read_mask(path, FILM)


def test_a_mask_needs_one_film(tmp_path: Path) -> None:
    path = written(tmp_path, "mask.png", DRAWN)
    for images in ((FILM.images[0],) * 2, (Image(np.zeros((3, 30, 20), np.uint8), axes="ZYX"),)):
        with pytest.raises(InputError, match="one film"):
            read_mask(path, Study("stack", images=images))


def test_a_mask_that_no_map_was_compared_with_is_not_passed_over() -> None:
    blank = Explanation("Grad-CAM", "a", DRAWN, DRAWN.astype(np.float32))
    model = Model("images", None, ("a", "b"), {}, {})
    with pytest.raises(InputError, match="compared with the mask"):
        check_laid_over([blank], model)
