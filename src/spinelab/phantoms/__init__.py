"""Drawn anatomy, imaged with the physics of the modality: films whose truth is exactly known.

`lumbar_radiographs` takes the AP and the lateral film of one patient, `ap_spine` an AP film of the whole spine, `scoliosis_film` one with
up to three curves as public collections show them, `whole_spine` a lateral one from skull to thigh, `not_a_spine` something else. They are
no evidence about patients; ``docs/reference/phantoms.md`` says what they show and what they leave out.
"""

from spinelab.phantoms.aasce import CollectionFilm, scoliosis_collection, scoliosis_truth, write_aasce
from spinelab.phantoms.degrade import cropped_at, inverted, mirrored, thumbnail, upside_down
from spinelab.phantoms.lumbar import DrawnFilm, LumbarPhantom, draw_disorder, lumbar_radiographs
from spinelab.phantoms.patient import DISORDER_SHARES, DISORDERS, Patient, Slip, draw_age
from spinelab.phantoms.scoliosis import DrawnCurve, ScoliosisFilm, scoliosis_film
from spinelab.phantoms.spine import SpineFilm, ap_spine
from spinelab.phantoms.whole_spine import WholeSpineFilm, whole_spine
from spinelab.phantoms.write import MARKER, is_phantom, write_jpg, write_marker, write_table, write_truth
from spinelab.phantoms.wrong_films import WRONG_KINDS, WrongFilm, not_a_spine

__all__ = [
    "DISORDERS",
    "DISORDER_SHARES",
    "MARKER",
    "WRONG_KINDS",
    "CollectionFilm",
    "DrawnCurve",
    "DrawnFilm",
    "LumbarPhantom",
    "Patient",
    "ScoliosisFilm",
    "Slip",
    "SpineFilm",
    "WholeSpineFilm",
    "WrongFilm",
    "ap_spine",
    "cropped_at",
    "draw_age",
    "draw_disorder",
    "inverted",
    "is_phantom",
    "lumbar_radiographs",
    "mirrored",
    "not_a_spine",
    "scoliosis_collection",
    "scoliosis_film",
    "scoliosis_truth",
    "thumbnail",
    "upside_down",
    "whole_spine",
    "write_aasce",
    "write_jpg",
    "write_marker",
    "write_table",
    "write_truth",
]
