"""Compare two models on phantoms, from Python: draw patients, train on the same folds, print what can be said.

Run it with a folder to write to: python examples/compare_models.py out
"""

import sys
from pathlib import Path

import spinelab


def main(out: Path) -> None:
    films = spinelab.phantom("images", out / "films", n=24, seed=1, difficulty="easy")
    comparison = spinelab.compare(
        "images",
        films,
        out / "comparison",
        vary={"lr": [1e-3, 3e-4]},
        settings={"model": "simple-cnn", "image_size": 64, "epochs": 2, "weights": "scratch"},
        folds=2,
        learning_curve=False,
    )
    print(comparison.headline)
    for variant in comparison.variants:
        score = variant.metrics["balanced_accuracy"]
        print(f"{variant.name}: {score.value:.2f} ({score.lo:.2f} to {score.hi:.2f})", *(flag.code for flag in variant.flags))
    print(f"Report: {out / 'comparison' / 'report.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
