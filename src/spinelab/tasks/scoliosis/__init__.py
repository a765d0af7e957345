"""The curves of the spine from an AP film: 17 vertebrae, their levels, and Cobb angles by the challenge's and the clinical rule.

Input: an AP film of the spine (JPG, PNG, TIFF, DICOM); to learn from, the AASCE layout (``data/<split>``, ``labels/<split>``),
or films with ``landmarks.csv`` and, if there is one, ``subjects.csv``.
Output: corners, level names with a certainty, Cobb angles with intervals or the reason why one is withheld, and the surgical range as a finding.
Source: METHODS section 4; SpineWeb data set 16 and the AASCE challenge, MICCAI 2019.
"""

from spinelab.tasks.scoliosis.task import Scoliosis

TASK = Scoliosis()

__all__ = ["TASK"]
