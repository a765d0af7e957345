"""Statistics on numpy arrays: metrics with patient-bootstrap intervals, tests of two models, curves, calibration.

Each statistic's definition, source and outside check: ``docs/reference/statistics.md``.
"""

from spinelab.evaluation.calibration import Calibration, calibration_curve
from spinelab.evaluation.classification import confusion_matrix
from spinelab.evaluation.curves import Band, Curve, pr_band, pr_curve, roc_band, roc_curve
from spinelab.evaluation.delong import delong_interval, delong_test, delong_variance
from spinelab.evaluation.estimates import compute_metrics, fold_values, metric_distributions, paired_difference
from spinelab.evaluation.intervals import auroc_distribution, auroc_interval, interval_halfwidth_wilson, patients_needed, wilson
from spinelab.evaluation.metrics import METRICS, MetricSpec
from spinelab.evaluation.probability import brier, log_loss
from spinelab.evaluation.ranking import auroc, average_precision
from spinelab.evaluation.resampling import Distribution
from spinelab.evaluation.tests_paired import corrected_resampled_t, holm, mcnemar
from spinelab.evaluation.types import Estimate, Predictions

__all__ = [
    "METRICS",
    "Band",
    "Calibration",
    "Curve",
    "Distribution",
    "Estimate",
    "MetricSpec",
    "Predictions",
    "auroc",
    "auroc_distribution",
    "auroc_interval",
    "average_precision",
    "brier",
    "calibration_curve",
    "compute_metrics",
    "confusion_matrix",
    "corrected_resampled_t",
    "delong_interval",
    "delong_test",
    "delong_variance",
    "fold_values",
    "holm",
    "interval_halfwidth_wilson",
    "log_loss",
    "mcnemar",
    "metric_distributions",
    "paired_difference",
    "patients_needed",
    "pr_band",
    "pr_curve",
    "roc_band",
    "roc_curve",
    "wilson",
]
