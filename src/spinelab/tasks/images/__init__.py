"""Your own images: which of your classes does a picture belong to.

Input: a folder per class, or a manifest CSV with the columns path, patient, label (optionally view, sex, age, site).
Output: the label with a probability for every class.
Source: METHODS section 1, applied to data of one's own.
"""

from spinelab.tasks.images.task import Images

TASK = Images()

__all__ = ["TASK"]
