import json

import numpy as np
import pytest

from spinelab.core import InputError, Result
from spinelab.io import to_uint8
from spinelab.phantoms import visits
from spinelab.tasks.whole_spine import phantom
from spinelab.tasks.whole_spine.data import examples
from spinelab.tasks.whole_spine.measure import facing
from spinelab.tasks.whole_spine.settings import WholeSpineSettings
from spinelab.tasks.whole_spine.task import WholeSpine
from spinelab.train import film_scale

SMALL = 0.25
FILMS = 5
SEED = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("films")
    phantom.write_phantoms(out, n=FILMS, seed=SEED, difficulty="hard", scale=SMALL)
    return out


@pytest.fixture(scope="module")
def found(folder):
    return examples(folder)


@pytest.fixture(scope="module")
def drawn(folder):
    return {body["study"]: Result.from_dict(body) for body in json.loads((folder / "truth.json").read_text(encoding="utf-8"))}


def test_films_landmarks_and_parameters_come_back(found, drawn):
    assert found.phantom
    assert len(found) == len(drawn) == FILMS
    for example in found:
        truth = drawn[example.id]
        assert example.truth.landmarks == truth.landmarks
        assert example.truth.findings == truth.findings
        known = {(m.name, m.unit): m for m in truth.measurements}
        for m in example.truth.measurements:
            assert m.withheld == known[m.name, m.unit].withheld
            assert m.value == pytest.approx(known[m.name, m.unit].value, abs=1e-3)


def test_pelvic_incidence_is_tilt_and_slope(found):
    for example in found:
        values = {m.name: m.value for m in example.truth.measurements if m.unit == "deg" and m.value is not None}
        if "pi" in values:
            assert values["pi"] == pytest.approx(values["pt"] + values["ss"])


def test_what_is_drawn_in_space_is_near_what_shows(drawn):
    apart = []
    for truth in drawn.values():
        values = {(m.name, m.unit): m.value for m in truth.measurements}
        apart += [abs(values[name, "deg"] - values[f"drawn_{name}", "deg"]) for name in ("ss", "ll", "tk") if values[name, "deg"] is not None]
    assert apart
    assert np.median(apart) < 4


def test_a_film_is_twelve_bits_with_spacing_window_and_person(found):
    example = found[0]
    study = example.open()
    image = study.images[0]
    assert image.pixels.dtype == np.uint16
    assert int(image.pixels.max()) < 4096
    assert image.facts["BitsStored"].value == 12
    assert (image.modality.value, image.view.value) == ("DX", "LATERAL")
    assert image.window is not None
    assert image.spacing_mm.value == example.facts["spacing_mm"].value
    assert any("Magnification: 1." in note for note in film_scale.notes(image, "SVA is"))
    assert study.patient.value == example.patient
    assert study.facts["site"].value in visits.SITES
    assert study.facts["study_date"].known
    assert WholeSpine().film(study, WholeSpineSettings()) is image
    assert to_uint8(image).std() > 20


def test_the_patient_faces_where_the_note_says(found, drawn):
    for example in found:
        assert any(f"faces the {facing(example.truth.landmarks)}" in note for note in drawn[example.id].notes)


def test_a_fifth_of_the_patients_comes_twice():
    planned = visits.plan(400, 1)
    patients = {v.patient for v in planned}
    again = [v for v in planned if v.number]
    assert len(planned) == 400
    assert 0.12 < len(again) / len(patients) < 0.28
    first = {v.patient: v for v in planned if not v.number}
    assert all(90 <= (v.day - first[v.patient].day).days < 720 and v.site == first[v.patient].site for v in again)


def test_both_films_of_a_patient_show_the_same_stance():
    from spinelab.phantoms import whole_spine

    one, two = (whole_spine(phantom._Streams((5, 0), visit), scale=0.2) for visit in (0, 1))
    assert one.drawn == two.drawn
    assert one.patient == two.patient
    assert one.facing == two.facing
    assert one.pixels.shape != two.pixels.shape or not np.array_equal(one.pixels, two.pixels)


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        phantom.write_phantoms(tmp_path / name, n=2, seed=7, difficulty="easy", scale=0.2)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 6
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


def test_no_phantoms_is_refused(tmp_path):
    with pytest.raises(InputError, match="0 phantoms"):
        phantom.write_phantoms(tmp_path, n=0, seed=1)
