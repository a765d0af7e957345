"""Statistics on numpy arrays: metrics with patient-bootstrap intervals, tests of two models, curves, calibration, agreement of measurements.

Each statistic's definition, source and outside check: ``docs/reference/statistics.md`` and, for measurements,
``docs/reference/agreement.md``.
"""

from spinelab.evaluation.agreement import error_metrics, measurement_agreement, smape, wilcoxon_test
from spinelab.evaluation.bland_altman import BlandAltman, bland_altman
from spinelab.evaluation.calibration import Calibration, calibration_curve
from spinelab.evaluation.classification import confusion_matrix
from spinelab.evaluation.cluster import Resamples, clustered_wilson
from spinelab.evaluation.concordance import lins_ccc, pearson
from spinelab.evaluation.conformal import Conformal, fit_conformal, least_patients
from spinelab.evaluation.coverage import interval_agreement, interval_score
from spinelab.evaluation.curves import Band, Curve, pr_band, pr_curve, roc_band, roc_curve
from spinelab.evaluation.delong import delong_interval, delong_test, delong_variance
from spinelab.evaluation.estimates import compute_metrics, constant_metrics, fold_values, metric_distributions, paired_difference
from spinelab.evaluation.icc import DETECTABLE, Icc, IccForm, icc
from spinelab.evaluation.intervals import auroc_distribution, auroc_interval, interval_halfwidth_wilson, patients_needed, wilson
from spinelab.evaluation.landmark_error import ErrorSummary, LandmarkErrors, landmark_errors
from spinelab.evaluation.level_naming import Certainty, LevelNaming, certainty_calibration, debiased_error, level_naming
from spinelab.evaluation.metrics import METRICS, MetricSpec
from spinelab.evaluation.probability import brier, log_loss
from spinelab.evaluation.ranking import auroc, average_precision
from spinelab.evaluation.readers import LEAST_IN_SUBGROUP, form_key, readers_table
from spinelab.evaluation.resampling import Distribution
from spinelab.evaluation.rsna import RsnaLabels, rsna_distributions, rsna_score
from spinelab.evaluation.rsna_baselines import rsna_baselines
from spinelab.evaluation.rsna_submission import read_submission, write_submission
from spinelab.evaluation.temperature import at_temperature, fit_temperature
from spinelab.evaluation.tests_paired import corrected_resampled_t, holm, mcnemar
from spinelab.evaluation.types import Estimate, Predictions

__all__ = [
    "DETECTABLE",
    "LEAST_IN_SUBGROUP",
    "METRICS",
    "Band",
    "BlandAltman",
    "Calibration",
    "Certainty",
    "Conformal",
    "Curve",
    "Distribution",
    "ErrorSummary",
    "Estimate",
    "Icc",
    "IccForm",
    "LandmarkErrors",
    "LevelNaming",
    "MetricSpec",
    "Predictions",
    "Resamples",
    "RsnaLabels",
    "at_temperature",
    "auroc",
    "auroc_distribution",
    "auroc_interval",
    "average_precision",
    "bland_altman",
    "brier",
    "calibration_curve",
    "certainty_calibration",
    "clustered_wilson",
    "compute_metrics",
    "confusion_matrix",
    "constant_metrics",
    "corrected_resampled_t",
    "debiased_error",
    "delong_interval",
    "delong_test",
    "delong_variance",
    "error_metrics",
    "fit_conformal",
    "fit_temperature",
    "fold_values",
    "form_key",
    "holm",
    "icc",
    "interval_agreement",
    "interval_halfwidth_wilson",
    "interval_score",
    "landmark_errors",
    "least_patients",
    "level_naming",
    "lins_ccc",
    "log_loss",
    "mcnemar",
    "measurement_agreement",
    "metric_distributions",
    "paired_difference",
    "patients_needed",
    "pearson",
    "pr_band",
    "pr_curve",
    "read_submission",
    "readers_table",
    "roc_band",
    "roc_curve",
    "rsna_baselines",
    "rsna_distributions",
    "rsna_score",
    "smape",
    "wilcoxon_test",
    "wilson",
    "write_submission",
]
