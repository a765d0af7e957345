"""A task that measures: numbers from a hash of the film's name with noise, landmarks on a drawn column; no network, a millisecond a film."""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from spinelab.core import Example, Examples, Fact, Finding, Image, Landmark, Measurement, Model, Quantity, Result, Settings, Study, Task, TaskError, setting

LEVELS = ("T8", "T9", "T10", "T11", "T12", "L1", "L2")
CORNERS = ("superior_image_left", "superior_image_right", "inferior_image_left", "inferior_image_right")
ANGLES = (Quantity("cobb_max", "deg", "Largest Cobb angle", "the largest angle of two endplates"), Quantity("cobb_upper", "deg", "Cobb angle above"))
LOWER = Quantity("cobb_lower", "deg", "Cobb angle below")
SHIFTS = (Quantity("shift", "mm", "Shift"), Quantity("shift", "px", "Shift"))


@dataclass(frozen=True)
class MeasuringSettings(Settings):
    model: str = setting("good", "how it errs", choices=("good", "poor", "useless", "biased", "sure", "shifted", "certain", "shy", "classifier", "broken"))
    decides: bool = setting(False, "also answer: 40 degrees or more?")
    seed: int = setting(0, "noise")


def noise(*words: object) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256("|".join(map(str, words)).encode()).digest()[:8], "big"))


def corners(angle: float) -> dict[str, tuple[float, float]]:
    points = {}
    for n, level in enumerate(LEVELS):
        x, y = 60 + angle / 3 * np.sin(n), 20 + 24 * n
        for corner, (dx, dy) in zip(CORNERS, ((-12, -8), (12, -8), (-12, 8), (12, 8)), strict=True):
            points[f"{level}_{corner}"] = (x + dx, y + dy)
    return points


def film(angle: float, name: str) -> np.ndarray:
    rng = noise("film", name)
    picture = 20 + 150 * rng.random((14, 9)).repeat(14, 0).repeat(14, 1)[:190, :120]
    for x, y in corners(angle).values():
        picture[int(y) - 3 : int(y) + 3, int(x) - 4 : int(x) + 4] += 90
    return np.clip(picture + rng.normal(0, 5, picture.shape), 0, 255).astype(np.uint8)


def study(name: str, angle: float, seed: str, spacing: float | None) -> Study:
    known = Fact(None if spacing is None else (spacing, spacing), "made up")
    return Study(name, images=(Image(film(angle, seed), spacing_mm=known),), facts={"angle": Fact(angle, "made up")})


def truth_of(name: str, angle: float, spacing: float | None) -> Result:
    shift = angle * 0.4
    measurements = [Measurement(q.name, value, q.unit) for q, value in zip((*ANGLES, LOWER), (angle, 0.6 * angle, 0.4 * angle), strict=True)]
    measurements.append(Measurement("shift", shift, "px"))
    if spacing is not None:
        measurements.append(Measurement("shift", shift * spacing, "mm"))
    points = tuple(Landmark(n, float(x), float(y)) for n, (x, y) in corners(angle).items())
    label = Finding("curve", "40 or more" if angle >= 40 else "below 40")
    return Result("measuring", "reader", name, findings=(label,), measurements=tuple(measurements), landmarks=points)


class Measuring(Task):
    name, title, question, takes, gives, source = "measuring", "Angles", "how large?", "films", "angles", "here"
    settings_type = MeasuringSettings

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.fitted: list[list[str]] = []

    def phantom(self, rng, difficulty="typical"):
        raise NotImplementedError

    def write_phantoms(self, out, *, n, seed, difficulty="typical", progress=None):
        raise NotImplementedError

    def examples(self, root):
        raise NotImplementedError

    def target(self, settings):
        return "curve" if settings.decides or settings.model == "classifier" else ""

    def route(self, settings):
        return "classifies" if settings.model == "classifier" else "measures"

    def quantities(self, settings):
        return () if settings.model == "classifier" else (*ANGLES, LOWER, *SHIFTS)

    def regions(self, settings):
        return {"thoracic": tuple(f"{level}_{c}" for level in LEVELS if level[0] == "T" for c in CORNERS)}

    def classes(self, examples, settings):
        return ("below 40", "40 or more") if self.target(settings) else ()

    def fit(self, examples, settings, run):
        if settings.model == "broken":
            raise TaskError("The loss became NaN", expected="a finite loss", action="lower the learning rate")
        self.groups.append(examples.groups())
        self.fitted.append([e.id for e in examples])
        return Model("measuring", settings, self.classes(examples, settings), {"n": np.array([len(examples)])}, {"seconds": 0.1})

    def predict(self, model, study):
        settings, angle = model.settings, float(study.facts["angle"].value)
        rng = noise(study.id, settings.model, settings.seed)
        spacing = study.images[0].spacing_mm.value
        if settings.model == "classifier":
            return Result("measuring", model.name, study.id, findings=(self.decided(angle + rng.normal(0, 25), 25.0),))
        error = {"poor": 9.0, "useless": 60.0}.get(settings.model, 3.0)
        half = 1.96 * error * (0.3 if settings.model == "sure" else 1.0)
        shift = 6.0 if settings.model == "biased" else 0.0
        if settings.model == "shy" and rng.random() < 0.3:
            withheld = tuple(Measurement(q.name, None, q.unit, withheld="the film is cut off") for q in self.quantities(settings))
            return Result("measuring", model.name, study.id, measurements=withheld)
        values = [abs(true + shift + rng.normal(0, error)) for true in (angle, 0.6 * angle, 0.4 * angle)]
        found = [Measurement(q.name, v, q.unit, interval=(v - half, v + half)) for q, v in zip((*ANGLES, LOWER), values, strict=True)]
        found.append(Measurement("shift", values[0] * 0.4, "px", interval=(values[0] * 0.4 - half, values[0] * 0.4 + half)))
        mm = None if spacing is None else values[0] * 0.4 * spacing[1]
        found.append(Measurement("shift", mm, "mm", withheld="no pixel spacing" if mm is None else None))
        moved = rng.random() < {"shifted": 0.5, "certain": 0.2}.get(settings.model, 0.0)
        points = tuple(Landmark(n, float(x + rng.normal(0, 1)), float(y + (24 if moved else 0) + rng.normal(0, 1))) for n, (x, y) in corners(values[0]).items())
        sure = 0.55 if settings.model == "shifted" else 0.97
        findings = [Finding("levels", "certain", {"certain": sure, "uncertain": 1 - sure})]
        if settings.decides:
            findings.append(self.decided(values[0], error))
        return Result("measuring", model.name, study.id, findings=tuple(findings), measurements=tuple(found), landmarks=points)

    def decided(self, angle, spread):
        p = float(1 / (1 + np.exp(-np.clip((angle - 40) / spread * 1.7, -30, 30))))
        return Finding("curve", "40 or more" if p >= 0.5 else "below 40", {"below 40": 1 - p, "40 or more": p})


def measuring_examples(patients: int = 60, films: int = 1, seed: int = 0, spacing: float | None = 0.2, splits: tuple[str, ...] = ()) -> Examples:
    """Films of columns with angles from 5 to 75 degrees; ``splits`` are dealt out in turn."""
    items = []
    for p in range(patients):
        for f in range(films):
            name = f"s{seed}p{p:03d}f{f}"
            angle = float(noise("angle", seed, p).uniform(5, 75))
            facts = {"sex": Fact("FM"[p % 2], "made up"), "age_years": Fact(float(10 + 29 * p % 60), "made up")}
            if splits:
                facts["split"] = Fact(splits[p % len(splits)], "folder")
            items.append(Example(name, truth_of(name, angle, spacing), partial(study, name, angle, name, spacing), f"s{seed}patient{p:03d}", {}, facts))
    return Examples(tuple(items), Path("measuring-data"))
