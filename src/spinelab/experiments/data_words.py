"""What a finding about a data set means: for models that are compared, for one that is made for use, and for a finished model that is judged on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class DataWords:
    """The ends of sentences on unknown patients, equal pictures, equal pictures of two patients, and few patients."""

    unknown: str
    copies: str
    across: str
    few: str


LEARNT_FROM: Final = DataWords(
    unknown="examinations of one patient may stand on both sides of a split, and every figure may be too good",
    copies="copies were kept on one side of every split",
    across="they stand on one side of every split",
    few="too few to rank models that are close",
)
FOR_USE: Final = replace(LEARNT_FROM, few="few to learn from, and too few to say how good a model is")
JUDGED_ON: Final = DataWords(
    unknown="examinations of one patient may count as several patients, and every interval may be too narrow",
    copies="each of them is judged, so the same picture counts more than once",
    across="a file was copied, or one patient has two names",
    few="too few for narrow intervals",
)
