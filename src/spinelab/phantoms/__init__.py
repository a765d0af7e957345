"""Drawn anatomy, imaged with the physics of the modality: films whose truth is exactly known.

`lumbar_radiographs` takes the AP and the lateral film of one patient, `ap_spine` an AP film of the whole spine, `whole_spine` a lateral one
from skull to thigh. They are no evidence about patients; ``docs/reference/phantoms.md`` says what they show and what they leave out.
"""

from spinelab.phantoms.lumbar import DrawnFilm, LumbarPhantom, draw_disorder, lumbar_radiographs
from spinelab.phantoms.patient import DISORDER_SHARES, DISORDERS, Patient, Slip, draw_age
from spinelab.phantoms.spine import SpineFilm, ap_spine
from spinelab.phantoms.whole_spine import WholeSpineFilm, whole_spine
from spinelab.phantoms.write import MARKER, is_phantom, write_jpg, write_marker, write_table, write_truth

__all__ = [
    "DISORDERS",
    "DISORDER_SHARES",
    "MARKER",
    "DrawnFilm",
    "LumbarPhantom",
    "Patient",
    "Slip",
    "SpineFilm",
    "WholeSpineFilm",
    "ap_spine",
    "draw_age",
    "draw_disorder",
    "is_phantom",
    "lumbar_radiographs",
    "whole_spine",
    "write_jpg",
    "write_marker",
    "write_table",
    "write_truth",
]
