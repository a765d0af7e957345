"""The models that come with spinelab: small, from phantoms alone, and ready to read offline."""

from pathlib import Path

import numpy as np
import pytest

from spinelab import io, phantoms, tasks
from spinelab.core import NotSureError
from spinelab.serve import api

NAMES = ("whole-spine",)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_says_that_it_learnt_from_phantoms(name: str) -> None:
    from spinelab.io.model_folder import builtin_folder

    folder = builtin_folder(name)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6
    model = io.load_model(f"builtin:{name}", {known: tasks.load(known).settings_type for known in tasks.names()})
    assert model.record["phantom"]
    assert model.record["data"]["phantom"]


def lateral(folder: Path, facing: str) -> tuple[Path, dict[str, float]]:
    film = phantoms.whole_spine(np.random.default_rng(31), facing=facing, scale=0.6)
    path = folder / f"{facing}.dcm"
    io.write_dx(
        path, film.pixels, spacing_mm=film.spacing_mm, view="LATERAL", patient_orientation=film.patient_orientation, patient_id="P1", window=film.window
    )
    return path, dict(film.parameters)


def test_a_newcomer_reads_a_film_whichever_way_the_patient_faces(tmp_path: Path) -> None:
    for facing in ("left", "right"):
        path, truth = lateral(tmp_path, facing)
        (result,) = api.read(path, "builtin:whole-spine", tmp_path / f"answer-{facing}")
        assert "phantoms" in result.notes[0]
        found = {m.name: m for m in result.measurements if m.unit == "deg"}
        for name, most in (("pi", 8), ("pt", 5), ("ss", 6), ("ll", 8), ("tk", 12), ("tpa", 5)):
            assert abs(found[name].value - truth[name]) < most, name
        assert found["pi"].value == pytest.approx(found["pt"].value + found["ss"].value, abs=1e-9)
        assert (tmp_path / f"answer-{facing}" / "report.pdf").is_file()


def test_a_film_that_is_upside_down_is_refused_with_what_to_do(tmp_path: Path) -> None:
    film = phantoms.whole_spine(np.random.default_rng(31), facing="left", scale=0.6)
    io.write_dx(
        tmp_path / "turned.dcm",
        np.ascontiguousarray(film.pixels[::-1, ::-1]),
        spacing_mm=film.spacing_mm,
        view="LATERAL",
        patient_orientation=film.patient_orientation,
        patient_id="P1",
    )
    with pytest.raises(NotSureError):
        api.read(tmp_path / "turned.dcm", "builtin:whole-spine")
