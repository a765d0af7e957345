"""Make a model, read one picture with it, and look at the answer.

Run it with a folder to write to: python examples/fit_and_read.py out
"""

import sys
from pathlib import Path

import spinelab


def main(out: Path) -> None:
    films = spinelab.phantom("images", out / "films", n=24, seed=1, difficulty="easy")
    settings = {"model": "simple-cnn", "image_size": 64, "epochs": 2, "weights": "scratch"}
    model = spinelab.fit("images", films, out / "model", settings=settings)
    print(f"{model.name} tells apart {', '.join(model.classes)}; made from phantoms: {model.record['data']['phantom']}")

    example = spinelab.tasks.load("images").examples(films)[0]
    (result,) = spinelab.read(example.files[""], out / "model", out / "answer")
    finding = result.finding("label")
    print(f"{result.study}: {finding.label} {dict(finding.probabilities)}, in truth {example.truth.finding('label').label}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
