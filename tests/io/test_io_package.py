"""The package as others meet it: light to import, quiet, safe between threads."""

import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import spinelab.io
from spinelab import io

HEAVY = ("pydicom", "nibabel", "cv2", "PIL", "tifffile", "imagecodecs", "torch", "scipy", "pandas")


def test_import_is_light():
    code = f"import sys, spinelab.io; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names():
    assert set(io.__all__) == {"IMAGE_SUFFIXES", "ImageCache", "codecs", "load_model", "read", "read_image", "save_model", "to_uint8", "write_dx"}
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in io.IMAGE_SUFFIXES)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        spinelab.io.nothing  # noqa: B018


def test_reading_in_threads_leaves_the_warning_filters_alone(dicom):
    path = dicom(np.arange(64, dtype=np.uint16).reshape(8, 8))
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda _: io.read_image(path), range(40)))
    assert all(np.array_equal(image.pixels, images[0].pixels) for image in images)
    assert list(warnings.filters) == before


def test_nothing_is_printed(tmp_path, dicom, capfd):
    """Libraries log and warn about damaged files; the user sees our one paragraph instead."""
    import tifffile

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8))
    raw = bytearray(path.read_bytes())
    raw[34] = 0xFF
    path.write_bytes(raw)
    whole = dicom(np.zeros((64, 64), np.uint16))
    whole.write_bytes(whole.read_bytes()[:-100])
    code = "import sys\nfrom spinelab import io\nfor p in sys.argv[1:]:\n    try: io.read(p)\n    except Exception as e: print(type(e).__name__)"
    done = subprocess.run([sys.executable, "-c", code, str(path), str(whole)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "InputError" in done.stdout
