"""The 25 questions of a lumbar MRI examination, and their names in tables, results and submissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spinelab.core import Finding, InputError
from spinelab.evaluation.rsna import COLUMNS, CONDITIONS, GRADES, LEVELS

TASK_NAME: Final = "lumbar-mri"
GRADE_NAMES: Final = ("Normal/Mild", "Moderate", "Severe")
"""Grades 0, 1, 2 as `train.csv` writes them; `spinelab.evaluation.rsna.GRADES` is how submissions write them."""
LEVEL_NAMES: Final = tuple(level.upper().replace("_", "/") for level in LEVELS)
SAGITTAL_T1: Final = "Sagittal T1"
SAGITTAL_T2: Final = "Sagittal T2/STIR"
AXIAL_T2: Final = "Axial T2"
DESCRIPTIONS: Final = (SAGITTAL_T1, SAGITTAL_T2, AXIAL_T2)
PLANES: Final = ("SAGITTAL", "AXIAL")
"""Planes of these series: a slice along the disc L5/S1 is axial, however much it leans."""
LATERALITY: Final = "Left is the patient's left: on an axial slice hung as usual it is on the picture's right."

_SERIES: Final = {"spinal_canal_stenosis": SAGITTAL_T2, "neural_foraminal_narrowing": SAGITTAL_T1, "subarticular_stenosis": AXIAL_T2}


@dataclass(frozen=True, slots=True)
class Question:
    """One of the 25: its place among them, condition without side, level and side."""

    place: int
    finding: str
    level: str
    side: str | None

    @property
    def column(self) -> str:
        """Name in ``train.csv`` and in submissions."""
        return COLUMNS[self.place]

    @property
    def condition_name(self) -> str:
        """Condition with its side, as the competition names it: one of `CONDITIONS`."""
        return CONDITIONS[self.condition]

    @property
    def condition(self) -> int:
        """0 canal, 1 and 2 left and right foramen, 3 and 4 left and right recess."""
        return self.place // len(LEVELS)

    @property
    def series(self) -> str:
        """The series on which the competition's readers marked it."""
        return _SERIES[self.finding]

    @property
    def words(self) -> str:
        """As a reader would say it: ``left neural foraminal narrowing L4/L5``."""
        side = f"{self.side} " if self.side else ""
        return f"{side}{self.finding.replace('_', ' ')} {self.level}"

    @property
    def title(self) -> str:
        """Condition with its side as the table of coordinates writes it: ``Left Neural Foraminal Narrowing``."""
        return self.condition_name.replace("_", " ").title()

    @property
    def mirrored(self) -> Question:
        """The same on the other side; the canal's has none and is its own."""
        if self.side is None:
            return self
        return QUESTIONS[self.place + len(LEVELS) * (1 if self.side == "left" else -1)]

    def answer(self, label: str | None, probabilities: dict[str, float] | None = None) -> Finding:
        """Return a finding: name without side, level as its site, the patient's side."""
        return Finding(self.finding, label, probabilities or {}, site=self.level, side=self.side)


def _questions() -> tuple[Question, ...]:
    found = []
    for place in range(len(COLUMNS)):
        condition, level = CONDITIONS[place // len(LEVELS)], LEVEL_NAMES[place % len(LEVELS)]
        first, _, rest = condition.partition("_")
        side = first if first in ("left", "right") else None
        found.append(Question(place, rest if side else condition, level, side))
    return tuple(found)


QUESTIONS: Final = _questions()
_BY_COLUMN: Final = {question.column: question for question in QUESTIONS}


def question_of(condition: str, level: str) -> Question:
    """Return the question of a row of the coordinates' table: ``Left Neural Foraminal Narrowing``, ``L4/L5``."""
    column = f"{condition.strip().lower().replace(' ', '_')}_{level.strip().lower().replace('/', '_')}"
    if column not in _BY_COLUMN:
        names = ", ".join(name.replace("_", " ").title() for name in CONDITIONS)
        raise InputError(f"Condition {condition!r} at {level!r}", expected=f"{names}, at {', '.join(LEVEL_NAMES)}", action="correct the table")
    return _BY_COLUMN[column]


def grade_of(text: str) -> int | None:
    """Return 0, 1, 2, or ``None`` for an empty cell; raises `InputError` for anything else."""
    wanted = text.strip().lower().replace("/", "_").replace(" ", "_")
    if wanted in ("", "nan", "na", "none"):
        return None
    if wanted not in GRADES:
        raise InputError(f"Grade {text!r}", expected=f"{', '.join(GRADE_NAMES)}, or an empty cell", action="correct the table")
    return GRADES.index(wanted)
