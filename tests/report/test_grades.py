"""Grades in one table: the patient's right on the left, withheld ones named, few findings left as cards."""

from spinelab.core import Finding, Result
from spinelab.report.grades import grid_of

GRADES = ("mild", "moderate", "severe")


def finding(level: str, side: str | None, label: str | None) -> Finding:
    shares = {} if label is None else {name: 0.8 if name == label else 0.1 for name in GRADES}
    return Finding("canal" if side is None else "foramen", label, shares, site=level, side=side)


def result(*findings: Finding) -> Result:
    return Result("lumbar-mri", "cnn", "1", findings=findings)


def test_right_stands_on_the_left_and_withheld_is_said() -> None:
    levels = ("L3/L4", "L4/L5")
    places = [(level, side) for level in levels for side in (None, "left", "right")]
    found = grid_of(result(*(finding(level, side, None if (level, side) == ("L4/L5", "left") else "severe") for level, side in places)))
    assert found is not None
    assert found.columns == (("canal", None), ("foramen", "right"), ("foramen", "left"))
    assert [site for site, _ in found.rows] == list(levels)
    cell = found.rows[0][1][0]
    assert cell is not None
    assert (cell.label, cell.probability, cell.height) == ("severe", 0.8, 1.0)
    withheld = found.rows[1][1][2]
    assert withheld is not None
    assert withheld.label is None


def test_few_findings_stay_cards() -> None:
    assert grid_of(result(finding("L3/L4", None, "mild"))) is None
    assert grid_of(result(*(Finding("disorder", "a", {"a": 1.0}) for _ in range(8)))) is None
