"""Which film of a study is which, where its endplate lines are, and what they measure."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from spinelab.core import Example, Fact, Image, InputError, NotSureError, Study
from spinelab.geometry import Film
from spinelab.tasks.lumbar_xray.annotations import VIEWS, endplates_of, measure, read_annotation

_BY_NAME = re.compile(r"\d+-[FMO]-\d{1,3}Y([01])", re.IGNORECASE)


def view_of(image: Image) -> Fact:
    """Return AP or LATERAL: as the image states it, or else as a BUU-LSPINE file name (``...Y0``, ``...Y1``) says. Never by looking."""
    stated = image.view.value
    if stated in VIEWS:
        return image.view
    if stated == "PA":
        # Displayed in the same way as AP, with the patient's right on the image left.
        return Fact("AP", f"{image.view.source} (PA)")
    name = _BY_NAME.fullmatch(Path(image.source).stem)
    return Fact(VIEWS[int(name[1])], "file name") if name and stated is None else Fact(None, image.view.source)


def films_of(study: Study) -> dict[str, Image]:
    """Return the study's AP and lateral film by view.

    Raises
    ------
    InputError
        If no film is known to be one or the other, or two films are of one view.
    """
    films: dict[str, Image] = {}
    nameless = []
    for image in study.images:
        view = view_of(image).value
        if view is None:
            nameless.append(image.source or "a film")
        elif view in films:
            raise InputError(f"{study.id}: two {view} films", expected="one AP and one lateral film", action="keep the one to be read")
        else:
            films[view] = image
    if not films:
        raise InputError(
            f"{study.id}: the view of {', '.join(nameless) or 'its films'} is not known",
            expected="films that say AP or lateral: a DICOM with ViewPosition, or a name like 0001-F-037Y0.jpg (AP) and 0001-F-037Y1.jpg (lateral)",
            action="rename the files or state the view; it is never guessed",
        )
    return films


def require_views(available: set[str], needed: tuple[str, ...], what: str, *, every: bool) -> None:
    """Raise `NotSureError` where the views that a model needs are not there."""
    missing = [view for view in needed if view not in available]
    if missing and (every or len(missing) == len(needed)):
        raise NotSureError(
            f"{what} has no {' and no '.join(missing)} film",
            expected=f"the {' and the '.join(needed)} film",
            action="add the film, or use a model trained with view=standard or view=hybrid, which answer from one film",
        )


def measured_example(example: Example) -> dict[str, Film]:
    """Return what the endplate lines of each film measure, without opening a film."""
    lines = {view: endplates_of(example.truth.landmarks, view) for view in VIEWS}
    return {view: measure(ends, view) for view, ends in lines.items() if ends is not None}


def measured_study(study: Study) -> dict[str, Film]:
    """Return what the endplate lines of each film measure: those that came with the image, or the CSV beside its file."""
    measured = {}
    for view, image in films_of(study).items():
        spacing = image.spacing_mm.value if image.axes.startswith("YX") else None
        carried = image.facts.get("endplates")
        table = Path(image.source).with_suffix(".csv") if image.source else None
        if carried is not None and carried.known:
            measured[view] = measure(np.array(carried.value, float), view, spacing)
        elif table is not None and table.is_file():
            measured[view] = measure(read_annotation(table, view).endplates, view, spacing)
    return measured


def missing_view_note(available: set[str], needed: tuple[str, ...]) -> tuple[str, ...]:
    """Say which film the answer did without."""
    return tuple(
        f"No {view} film: the answer rests on the {' and '.join(sorted(available & set(needed)))} film alone." for view in needed if view not in available
    )


def views_of(example: Example) -> set[str]:
    """Return the views that an example has: from its files where it names them, otherwise by opening it (phantoms in memory)."""
    return (set(example.files) & set(VIEWS)) or set(films_of(example.open()))
