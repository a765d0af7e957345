"""Results, comparisons and evaluations as files: JSON for programs, tables for spreadsheets, one self-contained page for people."""

from spinelab.report.comparison import write_comparison, write_evaluation
from spinelab.report.content import (
    COMPARISON_SCHEMA,
    EVALUATION_SCHEMA,
    FLAGS,
    Case,
    Comparison,
    DataSummary,
    Evaluation,
    Flag,
    LearningCurve,
    Pair,
    Variant,
)
from spinelab.report.explained import write_explained
from spinelab.report.files import folder_names, write_text
from spinelab.report.heatmaps import summaries
from spinelab.report.material import Material, Measuring
from spinelab.report.results import ResultWriter, write_results
from spinelab.report.visits import Visit, contradictions

__all__ = [
    "COMPARISON_SCHEMA",
    "EVALUATION_SCHEMA",
    "FLAGS",
    "Case",
    "Comparison",
    "DataSummary",
    "Evaluation",
    "Flag",
    "LearningCurve",
    "Material",
    "Measuring",
    "Pair",
    "ResultWriter",
    "Variant",
    "Visit",
    "contradictions",
    "folder_names",
    "summaries",
    "write_comparison",
    "write_evaluation",
    "write_explained",
    "write_results",
    "write_text",
]
