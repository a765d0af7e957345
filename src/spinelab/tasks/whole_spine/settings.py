"""Settings of the task ``whole-spine``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spinelab.core import TaskError, setting
from spinelab.geometry import LATERAL_LANDMARKS
from spinelab.tasks.whole_spine.measure import CERVICAL
from spinelab.train.landmark_settings import LandmarkSettings

GROUPS: Final[tuple[tuple[str, ...], ...]] = (
    ("FM_1", "FM_2", "Forehead", "Jaw"),
    ("C2_1", "C2_2", "ODT"),
    ("C7", "C7_1", "C7_2", "C7_3", "T1", "T1_1", "T1_2"),
    ("T4_1", "T4_2"),
    ("T12_1", "T12_2", "L1_1", "L1_2"),
    ("L4_1", "L4_2"),
    ("S_1", "S_2"),
    ("FH_1", "FH_2"),
)
"""What is looked at together from near: an endplate, or two that face each other, so that each fills its picture."""
ZOOM_MULTIPLE: Final = 32
"""Networks halve a picture up to five times."""
ZOOMS: Final = {"groups": GROUPS, "cervical": (CERVICAL,), "none": ()}


@dataclass(frozen=True)
class WholeSpineSettings(LandmarkSettings):
    """How the 26 landmarks of a lateral film are learnt: on the whole film first, then from near.

    The defaults are chosen so that a few hundred films are learnt in about half an hour on two processor cores. The source's own way, for a
    GPU, stands in the how-to of the task.
    """

    model: str = LandmarkSettings.otherwise("model", "compact-small")
    rows: int = LandmarkSettings.otherwise("rows", 640)
    columns: int = LandmarkSettings.otherwise("columns", 288)
    detail: int = LandmarkSettings.otherwise("detail", 3, "how many times finer than the canvas the second network sees the film")
    zoom_to: str = setting(
        "groups",
        "what the second network sees from near: groups (each endplate, the skull, the hips); cervical (the source's one box of 13 landmarks); none",
        choices=tuple(ZOOMS),
    )
    zoom_side: int = setting(160, "side of the square that such a part is fitted into, in pixels; a multiple of 32", low=64, high=2048)
    zoom_sigma: float = setting(3.0, "width of the Gaussian drawn at a landmark there, in pixels", low=0.5, high=100.0)
    epochs: int = LandmarkSettings.otherwise("epochs", 60, "most passes of each network over the training films")
    minutes: float = LandmarkSettings.otherwise("minutes", 30.0)
    refine_share: float = LandmarkSettings.otherwise("refine_share", 0.5, "share of the minutes that go to the second network")
    target: str = setting(
        "",
        "SRS-Schwab modifier asked for besides, as a class: pi_ll_modifier, sva_modifier, pt_modifier; every film then needs its landmarks",
        choices=("", "pi_ll_modifier", "sva_modifier", "pt_modifier"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.zoom_side % ZOOM_MULTIPLE:
            nearest = max(64, round(self.zoom_side / ZOOM_MULTIPLE) * ZOOM_MULTIPLE)
            raise TaskError(f"zoom_side={self.zoom_side}", expected=f"a multiple of {ZOOM_MULTIPLE}", action=f"try zoom_side={nearest}")

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Return the groups as positions among the 26 landmarks."""
        return tuple(tuple(LATERAL_LANDMARKS.index(name) for name in group) for group in ZOOMS[self.zoom_to])
