"""One film from file to report: each stage without the network (at most 0.5 s for the PDF, 1 s in all), then all of it with one (at most 3 s).

Without the network the film is a long one as digital detectors write it, 3,000 x 1,200 pixels of 12 bits, and the strokes are those of a fully
measured AP film. With the network it is a drawn lateral film, read by the model that comes with spinelab.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from spinelab import io
from spinelab.core import Finding, Landmark, Measurement, Quantity, Result, Stroke, Study
from spinelab.report import write_results
from spinelab.report.films import measured_film
from spinelab.report.pdf import Sheet, reading_pdf
from spinelab.report.reading import read_result

SHAPE = (3000, 1200)
GOAL_S = 1.0
GOAL_PDF_S = 0.5
GOAL_READING_S = 3.0
MODEL = "builtin:whole-spine"
REPEATS = 7
QUANTITIES = tuple(Quantity(f"angle_{n}", "deg", f"Angle number {n}", "Between the endplates of the end vertebrae of a curve") for n in range(15))


def film(folder: Path) -> Path:
    """Write a noisy 12-bit film, which compresses as badly as a real one."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, SHAPE[1])
    y = np.linspace(0, 20, SHAPE[0])
    pixels = 1600 + 1500 * np.exp(-((x - 0.1 * np.sin(y / 4)[:, None]) ** 2) / 0.05) + 90 * np.sin(3 * y)[:, None] + rng.normal(0, 60, SHAPE)
    made = pydicom.Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality, made.PatientID, made.StudyDate = generate_uid(), generate_uid(), "DX", "P1", "20240101"
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = *SHAPE, 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.WindowCenter, made.WindowWidth, made.ImagerPixelSpacing = 2000, 3000, [0.3, 0.3]
    made.PixelData = np.clip(pixels, 0, 4095).astype(np.uint16).tobytes()
    made.save_as(folder / "film.dcm", enforce_file_format=True)
    return folder / "film.dcm"


def answer() -> tuple[Result, list[Stroke]]:
    """Return a full answer: 68 corners, 17 vertebrae, 15 measurements with their lines."""
    strokes, landmarks = [], []
    for n in range(17):
        top, left = 150.0 + 160 * n, 520.0 + 60 * np.sin(n / 3)
        corners = ((left, top), (left + 150, top + 10), (left + 150, top + 130), (left, top + 120))
        landmarks += [Landmark(f"V{n}_{k}", x, y, 0.9) for k, (x, y) in enumerate(corners)]
        strokes += [Stroke("polygon", corners, "outline", layer="vertebrae"), Stroke("label", ((left + 160, top + 60),), "outline", f"V{n}", "vertebrae")]
        strokes += [Stroke("point", (corner,), "landmark", f"V{n}") for corner in corners]
    for n, quantity in enumerate(QUANTITIES):
        y = 200.0 + 170 * n
        strokes.append(Stroke("line", ((300.0, y), (900.0, y + 80)), "endplate", layer="angles", measurement=quantity.name))
        strokes.append(Stroke("arc", ((900.0, y), (700.0, y), (800.0, y + 150)), "angle", f"{20 + n}°", "angles", quantity.name))
    measured = tuple(Measurement(q.name, 20.0 + n, "deg", interval=(17.0 + n, 23.0 + n)) for n, q in enumerate(QUANTITIES))
    return Result("bench", "none", "film", (Finding("levels", "certain", {"certain": 0.9, "uncertain": 0.1}),), measured, tuple(landmarks)), strokes


def timed(stages: dict[str, list[float]], name: str, work):
    started = time.perf_counter()
    done = work()
    stages.setdefault(name, []).append(time.perf_counter() - started)
    return done


def once(path: Path, out: Path, stages: dict[str, list[float]]) -> None:
    result, strokes = answer()
    study: Study = timed(stages, "decode", lambda: io.read(path))
    shown, _ = timed(stages, "window, draw, encode", lambda: measured_film(study, strokes))
    sheet = Sheet(read_result(result, QUANTITIES, {}), shown, "origin", False, (), (), (), (), (), {})
    timed(stages, "PDF", lambda: reading_pdf(sheet))
    timed(
        stages,
        "report (window, draw, encode, page, PDF, write)",
        lambda: write_results([result], out, studies={"film": study}, phantom_model=True, quantities=QUANTITIES, drawings={"film": strokes}),
    )


def with_network(folder: Path) -> float:
    """Return the median seconds from a file to its report with the networks of the built-in model, warm."""
    from spinelab import phantoms
    from spinelab.serve import api, models

    drawn = phantoms.whole_spine(np.random.default_rng(1))
    path = folder / "lateral.dcm"
    io.write_dx(
        path, drawn.pixels, spacing_mm=drawn.spacing_mm, view="LATERAL", patient_orientation=drawn.patient_orientation, patient_id="P1", window=drawn.window
    )
    model, task = models.load(MODEL)
    stages: dict[str, list[float]] = {}
    for n in range(REPEATS):
        timed(stages, "whole", lambda n=n: api.read(path, model, folder / f"read{n}"))
        timed(stages, "networks and measuring", lambda: task.predict(model, io.read(path)))
    middle = {name: statistics.median(values[1:]) for name, values in stages.items()}
    print(f"{drawn.pixels.shape[0]} x {drawn.pixels.shape[1]} pixels: decode, networks and measuring {middle['networks and measuring']:.2f} s")
    return middle["whole"]


def main() -> int:
    stages: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        reading = with_network(Path(folder))
        path = film(Path(folder))
        for n in range(REPEATS + 1):
            once(path, Path(folder) / "out", stages)
            if n == 0:
                print("first in a process: " + ", ".join(f"{name} {values[0]:.3f} s" for name, values in stages.items()))
        sizes = ", ".join(f"{p.name} {p.stat().st_size / 1e6:.1f} MB" for p in sorted((Path(folder) / "out").iterdir()))
    middle = {name: statistics.median(values[1:]) for name, values in stages.items()}
    for name, seconds in middle.items():
        print(f"{name:<50} {seconds:6.3f} s")
    whole = middle["decode"] + middle["report (window, draw, encode, page, PDF, write)"]
    print(f"files: {sizes}")
    print(f"file to report without the network {whole:.2f} s, goal {GOAL_S} s; PDF {middle['PDF']:.3f} s, goal {GOAL_PDF_S} s")
    print(f"file to report with the networks, warm: {reading:.2f} s, goal {GOAL_READING_S} s")
    return int(whole > GOAL_S or middle["PDF"] > GOAL_PDF_S or reading > GOAL_READING_S)


if __name__ == "__main__":
    raise SystemExit(main())
