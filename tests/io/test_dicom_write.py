"""DX objects as they are written: read back value for value, and held to the standard by dicom3tools where it is installed."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from spinelab import io
from spinelab.core import InputError

FACTS = {"spacing_mm": 0.48, "view": "LATERAL", "patient_orientation": ("A", "F"), "patient_id": "P0001"}


@pytest.fixture
def film():
    """120 x 70 values over the whole 12-bit range, none of them symmetrical."""
    return np.random.default_rng(4).integers(0, 4096, (120, 70)).astype(np.uint16)


def written(tmp_path, film, **changed):
    path = tmp_path / "film.dcm"
    io.write_dx(path, film, **(FACTS | changed))
    return path


@pytest.mark.parametrize("monochrome", [1, 2])
def test_a_film_comes_back_as_it_was(tmp_path, film, monochrome):
    path = written(
        tmp_path, film, sex="F", age_years=63, monochrome=monochrome, window=(1900, 2448), magnification=1.14, study_date="20210304", institution="north"
    )
    study = io.read(path)
    image = study.images[0]
    assert np.array_equal(image.pixels, film)
    assert image.spacing_mm.value == pytest.approx((0.48 / 1.14, 0.48 / 1.14), rel=1e-9)
    assert image.facts["magnification"].value == pytest.approx(1.14)
    assert image.window == pytest.approx((1900, 2448))
    assert image.view.value == "LATERAL"
    assert image.modality.value == "DX"
    assert image.facts["PatientOrientation"].value == "A\\F"
    assert image.facts["PhotometricInterpretation"].value == f"MONOCHROME{monochrome}"
    assert (study.patient.value, study.sex.value, study.age_years.value) == ("P0001", "F", 63)
    assert study.facts["site"].value == "north"


def test_both_polarities_look_the_same(tmp_path, film):
    shown = []
    for monochrome in (1, 2):
        path = written(tmp_path, film, monochrome=monochrome, window=(1900, 2448))
        shown.append(io.to_uint8(io.read_image(path)).astype(int))
    assert np.abs(shown[0] - shown[1]).max() <= 1


def test_what_is_not_known_stays_unknown(tmp_path, film):
    study = io.read(written(tmp_path, film, spacing_mm=None))
    image = study.images[0]
    assert study.sex.value is None
    assert study.age_years.value is None
    assert image.spacing_mm.value is None
    assert image.facts["magnification"].value is None


def test_two_spacings_are_row_and_column(tmp_path, film):
    image = io.read_image(written(tmp_path, film, spacing_mm=(0.4, 0.5)))
    assert image.spacing_mm.value == pytest.approx((0.4, 0.5))


@pytest.mark.parametrize(("age", "read"), [(0.5, 0.5), (1.75, 1.75), (2, 2), (45.9, 45), (102, 102)])
def test_ages_are_completed_years_and_months_of_infants(tmp_path, film, age, read):
    assert io.read(written(tmp_path, film, age_years=age)).age_years.value == pytest.approx(read)


@pytest.mark.parametrize(("view", "stated"), [("AP", "AP"), ("PA", "PA"), ("LL", "LATERAL"), ("RL", "LATERAL")])
def test_views(tmp_path, film, view, stated):
    assert io.read_image(written(tmp_path, film, view=view)).view.value == stated


def test_the_same_film_gives_the_same_bytes(tmp_path, film):
    first = written(tmp_path, film).read_bytes()
    assert written(tmp_path, film).read_bytes() == first
    assert written(tmp_path, film[::-1]).read_bytes() != first


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"view": "SKYLINE"}, "View 'SKYLINE'"),
        ({"monochrome": 3}, "MONOCHROME3"),
        ({"sex": "female"}, "Sex 'female'"),
        ({"age_years": -1}, "Age -1"),
        ({"patient_orientation": ("X", "F")}, "Patient orientation"),
        ({"magnification": 0.8}, "Magnification 0.8"),
        ({"study_date": "4 March"}, "Study date"),
        ({"spacing_mm": float("nan")}, "nan"),
    ],
)
def test_values_that_cannot_be_written_are_refused(tmp_path, film, changed, message):
    with pytest.raises(InputError, match=message):
        written(tmp_path, film, **changed)


def test_pixels_beyond_twelve_bits_are_refused(tmp_path, film):
    for wrong in (film.astype(np.uint16) + 4000, film.astype(float), film[None]):
        with pytest.raises(InputError, match="Pixels of shape"):
            written(tmp_path, wrong)


@pytest.mark.parametrize("changed", [{}, {"monochrome": 1, "sex": "M", "age_years": 9, "magnification": 1.2, "window": (2000, 3000)}, {"view": "AP"}])
def test_the_object_meets_the_standard(tmp_path, film, changed):
    """`dciodvfy` of dicom3tools finds no error."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    done = subprocess.run(["dciodvfy", "-new", str(written(tmp_path, film, **changed))], capture_output=True, text=True, check=False)
    report = done.stdout + done.stderr
    assert not [line for line in report.splitlines() if line.startswith("Error")], report
    assert "DXImageForPresentation" in report


def test_threads_may_write_from_the_start(tmp_path):
    """In a fresh interpreter pydicom is imported by whichever thread writes first."""
    code = (
        "import sys, numpy as np\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from spinelab.io import write_dx\n"
        "facts = dict(spacing_mm=0.5, view='LATERAL', patient_orientation=('A', 'F'), patient_id='P')\n"
        "film = np.zeros((4, 4), np.uint16)\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    list(pool.map(lambda k: write_dx(f'{sys.argv[1]}/{k}.dcm', film, **facts), range(8)))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert len(list(tmp_path.glob("*.dcm"))) == 8
