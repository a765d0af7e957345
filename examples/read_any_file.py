"""Read any picture, series or archive and tell what is known about it, and from where.

Run it with a file or folder: python examples/read_any_file.py film.dcm
"""

import sys

from spinelab import io


def main(path: str) -> None:
    study = io.read(path)
    print(f"{study.id}: {len(study.images)} image(s); patient {study.patient.value} ({study.patient.source})")
    for image in study.images:
        print(f"  {image.axes} {image.pixels.shape} {image.pixels.dtype}, view {image.view.value}")
        print(f"  spacing {image.spacing_mm.value} mm: {image.spacing_mm.source}")


if __name__ == "__main__":
    main(sys.argv[1])
