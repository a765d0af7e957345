"""Several readers from a table to the figures of their agreement."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

import spinelab
from spinelab.core import InputError
from spinelab.evaluation import bland_altman, icc
from spinelab.serve.cli.app import app

RATINGS = np.round(np.random.default_rng(3).gamma(4, 8, 24)[:, None] + np.random.default_rng(4).normal([0, 1, 3], 1, (24, 3)), 1)


def written(path, *, repeats=1, patient=False, blank=None):
    """Write the table of three readers; the second repeat is 0.5 above the first."""
    rows = [["image", "reader", "repeat", *(["patient"] * patient), "cobb"]]
    for film, values in enumerate(RATINGS):
        for reader, value in zip("ABC", values, strict=True):
            for again in range(repeats):
                cell = "NaN" if (film, reader) == blank else f"{value + 0.5 * again * (film % 2):.1f}"
                rows.append([f"f{film}", reader, again, *([f"p{film // 2}"] * patient), cell])
    path.write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")
    return path


def test_pairs_and_all_readers_with_six_forms_and_intervals(tmp_path):
    found = spinelab.agreement(written(tmp_path / "readers.csv", blank=(3, "C")), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "agreement.json").read_text(encoding="utf-8")) == found
    rows = list(csv.DictReader((tmp_path / "out" / "agreement.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["measurement"], row["a"], row["b"], row["n"]) for row in rows] == [
        ("cobb", "A", "B", "24"),
        ("cobb", "A", "C", "23"),
        ("cobb", "B", "C", "23"),
        ("cobb", "all", "", "23"),
    ]
    first, limits = icc(RATINGS[:, :2]), bland_altman(RATINGS[:, 0], RATINGS[:, 1])
    assert float(rows[0]["icc_2_1_lo"]) == first.forms["ICC(2,1)"].icc.lo
    assert float(rows[0]["icc_1_k"]) == first.forms["ICC(1,k)"].icc.value
    assert float(rows[0]["lower_limit_hi"]) == limits.lower.hi
    every = icc(np.delete(RATINGS, 3, axis=0))
    assert float(rows[3]["icc_3_k_hi"]) == every.forms["ICC(3,k)"].icc.hi
    assert "1 of 24 films left out" in rows[3]["note"]


def test_repeats_give_each_readers_agreement_with_himself(tmp_path):
    found = spinelab.agreement(written(tmp_path / "readers.csv", repeats=2, patient=True))
    (measurement,) = found["measurements"]
    assert found["patients"] == 12
    assert set(measurement["within"]) == {"A", "B", "C"}
    assert measurement["within"]["A"]["pairs"][0]["bland_altman"]["bias"]["value"] == pytest.approx(-0.25)
    assert measurement["between"]["pairs"][0]["bland_altman"]["bias"]["value"] == pytest.approx(float((RATINGS[:, 0] - RATINGS[:, 1]).mean()))


def test_the_command_prints_them(tmp_path):
    path = written(tmp_path / "readers.csv")
    said = CliRunner().invoke(app, ["agreement", str(path), "--out", str(tmp_path / "out")]).output
    assert "24 films of 24 patients, 3 readers: A, B, C." in said
    assert "ICC(3,1)" in said
    body = json.loads(CliRunner().invoke(app, ["agreement", str(path), "--json"]).output)
    assert body["schema"] == "spinelab.agreement/1"


def test_the_films_may_stand_in_a_column_of_another_name(tmp_path):
    usual = written(tmp_path / "readers.csv")
    other = tmp_path / "others.csv"
    other.write_text(usual.read_text(encoding="utf-8").replace("image,", "film,", 1), encoding="utf-8")
    assert spinelab.agreement(other) == spinelab.agreement(usual)
    both = tmp_path / "both.csv"
    both.write_text("image,file,reader,cobb\na,a.png,A,1\na,a.png,B,2\nb,b.png,A,3\nb,b.png,B,3\n", encoding="utf-8")
    assert [m["name"] for m in spinelab.agreement(both)["measurements"]] == ["cobb"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,cobb\na,1", "no column reader; it has image, cobb"),
        ("image,reader\na,A", "no column of a measurement; it has image, reader"),
        ("image,reader,cobb,cobb\na,A,1,2", "two columns are called 'cobb'"),
        ("image,reader,cobb\na,A,one", "line 2: cobb is 'one'"),
        ("image,reader,cobb\na,A,1\na,A,2", "line 3: A has a second row for a"),
        ("image,reader,cobb\na,A,1", "Only A measured"),
        ("image,reader,patient,cobb\na,A,p,1\na,B,q,1", "line 3: a has the patient 'q'"),
        ("image,reader,cobb\na,A", "line 2: 2 cells under 3 columns"),
        ("image,reader,cobb\n,A,1", "line 2: no image or no reader"),
        ("image,reader,cobb\n", "no rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_place(tmp_path, text, said):
    path = tmp_path / "readers.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        spinelab.agreement(path)
