"""The sagittal profile of a standing patient from a lateral film of the whole spine.

Input: a lateral film (DICOM, JPG, PNG or TIFF); to learn from, films with ``landmarks.csv`` (26 landmarks) and optionally ``subjects.csv``.
Output: the landmarks and fifteen parameters with intervals or the reason why one is withheld; SRS-Schwab modifiers and Roussouly type.
Source: METHODS section 4; Noh et al., Bioengineering 11:481, 2024.
"""

from spinelab.tasks.whole_spine.task import WholeSpine

TASK = WholeSpine()

__all__ = ["TASK"]
