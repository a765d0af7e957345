"""Four answers from one heterogeneous spine radiograph: foraminal stenosis, osteophyte, surgical implant, or normal.

Input: a picture of the cervical, thoracic or lumbar spine in any projection. Output: the class with a probability for each. Source: a proof of concept on
967 public PNG of 300 x 300 pixels (METHODS section 2), whose augmentation was searched and not fixed by hand.
"""

from spinelab.tasks.spine_lesion_xray.task import SpineLesionXray

TASK = SpineLesionXray()

__all__ = ["TASK"]
