import json
import re
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import DIFFICULTIES, InputError, Result
from spinelab.tasks.landmarks import phantom
from spinelab.tasks.landmarks.data import examples
from spinelab.tasks.landmarks.toml_file import read_declaration

SMALL = 0.4
DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "landmarks.md"


def test_written_phantoms_are_read_back_with_their_truth(tmp_path):
    phantom.write_phantoms(tmp_path, n=8, seed=4, difficulty="hard", scale=SMALL)
    found = examples(tmp_path)
    truth = {body["study"]: Result.from_dict(body) for body in json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))}
    assert found.phantom
    assert len(found) == len(truth) == 8
    assert len(set(found.groups())) == 8
    assert found.declaration == phantom.declaration()
    for example in found:
        drawn = truth[example.id]
        assert example.truth.landmarks == drawn.landmarks
        assert [(m.name, m.unit, m.withheld is None) for m in example.truth.measurements] == [(m.name, m.unit, m.withheld is None) for m in drawn.measurements]
        values = [(m.value, d.value) for m, d in zip(example.truth.measurements, drawn.measurements, strict=True) if m.value is not None]
        assert all(read == pytest.approx(known, abs=1e-6) for read, known in values)
        rows, columns = example.open().images[0].shape_yx
        assert all(-0.5 <= p.x <= columns - 0.5 and -0.5 <= p.y <= rows - 0.5 for p in example.truth.landmarks)


def test_the_drawn_angles_are_those_of_a_spine():
    for number in range(4):
        picture = phantom.draw(np.random.default_rng(number), "easy", SMALL)
        values = {(m.name, m.unit): m.value for m in phantom.truth(picture, "p").measurements}
        assert len(picture.points) == 10
        assert 20 < values["l4_s1", "deg"] < 55
        assert 25 < values["l4_depth", "mm"] < 60
        assert 4 < values["l5_s1_height", "mm"] < 25


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        phantom.write_phantoms(tmp_path / name, n=2, seed=9, scale=SMALL)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 6
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_one_phantom_in_memory(difficulty):
    example = phantom.phantom(np.random.default_rng(3), difficulty)
    image = example.open().images[0]
    assert image.spacing_mm == example.facts["spacing_mm"]
    assert example.truth.landmarks


def test_no_phantoms_is_refused(tmp_path):
    with pytest.raises(InputError, match="0 phantoms"):
        phantom.write_phantoms(tmp_path, n=0, seed=1)


def test_the_example_in_the_documentation_is_a_declaration(tmp_path):
    block = re.search(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "measurements.toml"
    path.write_text(block[1], encoding="utf-8")
    found = read_declaration(path)
    assert [m.name for m in found.measures] == ["l4_s1", "sacral_slope", "disc_height"]
    assert found.pairs == (("left eye", "right eye"),)
