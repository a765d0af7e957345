import json
from pathlib import Path

import pytest

from spinelab.core import Finding, InputError, Landmark, Mask, Measurement, Result, SlicePoint

GOLDEN = Path(__file__).parents[1] / "golden" / "core_result.json"


def full_result() -> Result:
    return Result(
        task="lumbar-xray",
        model="resnet18",
        study="0001",
        findings=(Finding("disorder", "normal", {"normal": 0.75, "disordered": 0.25}, interval=(0.6, 0.85)),),
        measurements=(
            Measurement("slip", 12.5, "%", site="L4/L5", interval=(10.0, 15.0)),
            Measurement("slip_mm", None, "mm", site="L5/S1", side="left", withheld="no pixel spacing"),
        ),
        landmarks=(Landmark("L4 lower anterior", 101.5, 220.0, 0.9),),
        masks=(Mask("vertebra", "masks/L4.png", site="L4"),),
        notes=("trained on phantoms",),
    )


def test_a_result_survives_json_and_equals_the_golden_file():
    text = full_result().to_json()
    assert Result.from_dict(json.loads(text)) == full_result()
    assert json.loads(text) == json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Finding("x", "a", {"a": 0.7, "b": 0.7}),
        lambda: Finding("x", "c", {"a": 0.5, "b": 0.5}),
        lambda: Finding("x", "a", {"a": float("nan"), "b": 0.5}),
        lambda: Finding("x", "a", side="L"),
        lambda: Measurement("x", None, "mm"),
        lambda: Measurement("x", 1.0, "mm", withheld="why"),
        lambda: Measurement("x", float("inf"), "mm"),
        lambda: Measurement("x", 1.0, "mm", interval=(2.0, 1.0)),
        lambda: Landmark("x", float("nan"), 0.0),
        lambda: Landmark("x", 0.0, 0.0, 1.5),
        lambda: Mask("x", "f", side="port"),
    ],
)
def test_an_object_that_exists_is_valid(make):
    with pytest.raises(InputError, match="Expected"):
        make()


@pytest.mark.parametrize("body", [{}, {"schema": "spinelab.result/2"}, [], {"schema": "spinelab.result/1", "task": "x"}])
def test_another_schema_is_refused(body):
    with pytest.raises(InputError):
        Result.from_dict(body)


def test_a_measurement_is_looked_up_by_name_and_unit():
    result = full_result()
    assert [m.site for m in result.measured("slip", "%")] == ["L4/L5"]
    assert result.measured("slip", "mm") == ()
    assert result.value("slip", "%") == 12.5
    assert result.value("slip_mm", "mm") is None


def test_what_is_measured_at_several_places_has_no_value_of_its_own():
    slips = (Measurement("slip", 12.5, "%", site="L4/L5"), Measurement("slip", 3.0, "%", site="L5/S1"))
    result = Result("lumbar-xray", "reader", "0001", measurements=slips)
    assert result.measured("slip", "%") == slips
    assert result.value("slip", "%") is None


def test_a_place_needs_finite_coordinates():
    with pytest.raises(InputError, match="finite coordinates"):
        SlicePoint("7", 3, 10.0, float("nan"), (0.0, 0.0, 0.0))


def test_a_misnamed_field_is_refused():
    body = full_result().to_dict()
    body["findings"][0]["lable"] = "x"
    with pytest.raises(InputError, match="misnames"):
        Result.from_dict(body)
