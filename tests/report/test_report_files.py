"""Files are whole or absent; tables are safe; JSON is strict."""

import csv
import dataclasses
import errno
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Finding, InputError, Measurement, Quantity, Result
from spinelab.evaluation.types import Estimate
from spinelab.experiments.pairing import kinds
from spinelab.report.documents import comparison_document, folder_name
from spinelab.report.files import folder_names, plain, write_json, write_text
from spinelab.report.tables import measurements_csv, predictions_csv, results_csv, spreadsheet_safe


def test_plain_is_strict_json():
    body = {"a": float("nan"), 1: np.float32(0.5), "b": np.arange(3), "c": (Estimate(1.0, None, float("inf")),), "d": {2, 1}, "e": Path("x")}
    assert plain(body) == {"a": None, "1": 0.5, "b": [0, 1, 2], "c": [{"value": 1.0, "lo": None, "hi": None}], "d": [1, 2], "e": "x"}
    with pytest.raises(TypeError, match="has no JSON form"):
        plain(object())


def test_full_disk_leaves_finished_files_and_no_halves(tmp_path, monkeypatch):
    write_text(tmp_path / "a.txt", "old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"disk is full.*files that were finished are kept"):
        write_text(tmp_path / "a.txt", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_file_where_the_folder_should_be_is_refused(tmp_path):
    write_text(tmp_path / "out", "a file")
    with pytest.raises(InputError, match="could not be written"):
        write_text(tmp_path / "out" / "report.html", "x")


def test_names_that_are_not_utf8_survive_in_json(tmp_path):
    path = write_json(tmp_path / "a.json", {"name": "film\udc80.jpg"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "film\udc80.jpg"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_formulas_are_made_text(name):
    assert spreadsheet_safe(name) == "'" + name
    assert spreadsheet_safe("a" + name) == "a" + name


def test_predictions_have_one_row_an_answer_and_columns_by_contract(comparison_of):
    comparison = comparison_of(2, cases=0)
    rows = list(csv.DictReader(io.StringIO(predictions_csv(comparison.variants, patients_known=True))))
    assert list(rows[0]) == ["patient", "image", "fold", "repeat", "variant", "truth", "answer", "prob_straight", "prob_curved"]
    assert len(rows) == 2 * 2 * 120
    first = comparison.variants[0].predictions
    assert [float(rows[120][c]) for c in ("prob_straight", "prob_curved")] == pytest.approx(list(first.probabilities[1, 0]), rel=1e-8)
    assert {row["patient"] for row in csv.DictReader(io.StringIO(predictions_csv(comparison.variants, patients_known=False)))} == {""}


def test_what_was_not_predicted_has_no_row(comparison_of):
    variant = comparison_of(1, cases=0).variants[0]
    probabilities = variant.predictions.probabilities.copy()
    probabilities[1, :100] = np.nan
    held_out = dataclasses.replace(variant, predictions=dataclasses.replace(variant.predictions, probabilities=probabilities))
    assert len(predictions_csv([held_out], patients_known=True).splitlines()) == 1 + 120 + 20


def test_variants_with_other_classes_share_a_table(comparison_of):
    two, three = comparison_of(1, cases=0).variants[0], comparison_of(1, ("straight", "=curved", "c"), cases=0).variants[0]
    rows = list(csv.DictReader(io.StringIO(predictions_csv([two, three], patients_known=True))))
    assert rows[0]["prob_c"] == ""
    assert rows[-1]["prob_curved"] == ""
    assert {row["truth"] for row in rows[240:]} == {"straight", "'=curved", "c"}


def slip(value, site):
    return Measurement("slip", value, "%", site=site)


def test_results_table_names_unit_and_reason():
    results = [
        Result("t", "m", "a", findings=(Finding("label", "x", {"x": 0.75, "y": 0.25}),), measurements=(slip(12.5, "L4/L5"), slip(1.0, "L5/S1"))),
        Result("t", "m", "=b", measurements=(Measurement("slip", None, "%", site="L4/L5", withheld="no endplate"),), notes=("n",)),
    ]
    rows = list(csv.DictReader(io.StringIO(results_csv(results, {"a": "a", "=b": "b"}, {}))))
    assert rows[0]["label: prob_x"] == "0.75"
    assert rows[0]["slip_L4_L5_percent"] == "12.5"
    assert rows[1]["image"] == "'=b"
    assert rows[1]["slip_L4_L5_percent_withheld"] == "no endplate"
    assert list(rows[0])[-1] == "notes"


def test_a_curve_has_one_column_wherever_it_was_measured():
    results = [
        Result("t", "m", name, measurements=(Measurement("cobb_max", value, "deg", site=site, side="right"),))
        for name, value, site in (("a", 50.0, "T5-T12"), ("b", 20.0, "T6-L1"))
    ]
    header, *rows = csv.reader(io.StringIO(results_csv(results, {}, {})))
    ends = ("", "_lo", "_hi", "_withheld", "_site", "_side")
    assert header == ["image", "folder", "task", "model", *(f"cobb_max_deg{end}" for end in ends), "notes"]
    assert [(row[4], row[8]) for row in rows] == [("50.0", "T5-T12"), ("20.0", "T6-L1")]


def test_a_measurement_has_one_name_in_all_tables():
    """What `results.csv` and `measurements.csv` call a column is what `predictions.csv` calls it."""
    results = [Result("t", "m", "a", measurements=(slip(12.5, "L4/L5"), slip(1.0, "L5/S1"), Measurement("cobb_max", 20.0, "deg", interval=(18.0, 22.0))))]
    quantities = (Quantity("slip", "%", "Slip"), Quantity("cobb_max", "deg", "Largest Cobb angle"))
    paired = {kind.column for kind in kinds(quantities, results)}
    assert paired == {"slip_L4_L5_percent", "slip_L5_S1_percent", "cobb_max_deg"}
    answered = next(csv.DictReader(io.StringIO(results_csv(results, {}, {}))))
    measured = next(csv.DictReader(io.StringIO(measurements_csv(results, quantities, {}, visits={}, files={}))))
    for row in (answered, measured):
        assert row["image"] == "a"
        assert paired <= row.keys()
        assert (row["cobb_max_deg"], row["cobb_max_deg_lo"], row["cobb_max_deg_hi"]) == ("20.0", "18.0", "22.0")


def test_folder_names_are_safe_and_different():
    ids = ["a/b", "a_b", "../..", "CON", "A_B", "x" * 300, "0001-F-037Y0"]
    names = folder_names(ids)
    assert len({name.lower() for name in names.values()}) == len(ids)
    assert all(name not in {"", ".", ".."} and "/" not in name and len(name) < 120 for name in names.values())
    assert names["0001-F-037Y0"] == "0001-F-037Y0"
    assert names["CON"].lower() != "con"


def test_only_the_folders_name_leaves_the_machine(comparison_of):
    assert "secret" not in json.dumps(comparison_document(comparison_of(1)))
    assert [folder_name(p) for p in ("/a/b", "/a/b/", "C:\\x\\b", "b")] == ["b"] * 4
