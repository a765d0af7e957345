"""spinelab: spine examinations into measurements, diagnoses and evidence."""

__version__ = "0.1.0"
