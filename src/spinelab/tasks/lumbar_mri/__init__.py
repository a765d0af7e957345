"""Narrowing of canal, foramina and lateral recesses from lumbar MRI.

Question: how narrow is each of 25 places, five levels, left and right? Input: sagittal T1, sagittal T2 or STIR, and axial T2 series. Output: a
grade with probabilities for each, or the reason why it is withheld. Source: RSNA 2024 Lumbar Spine Degenerative Classification, and two
course projects on it (METHODS section 3).
"""

from spinelab.tasks.lumbar_mri.task import LumbarMri

TASK = LumbarMri()
