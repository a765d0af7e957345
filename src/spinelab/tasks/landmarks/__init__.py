"""Points of one's own: found on pictures, and measured as declared.

Input: pictures with a CSV of points, COCO keypoints or labelme files, and ``measurements.toml`` with angles and distances.
Output: the points, and every declared angle and distance with its interval or the reason why it is withheld.
Source: METHODS section 4, on points of one's own.
"""

from spinelab.tasks.landmarks.task import Landmarks

TASK = Landmarks()

__all__ = ["TASK"]
