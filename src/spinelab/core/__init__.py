"""Study, Result, Task, Model, Settings and errors: the words every other part is written in. numpy only."""

from spinelab.core.counts import counted, noted, plural
from spinelab.core.doubt import Doubt
from spinelab.core.errors import InputError, NotSureError, SpinelabError, TaskError
from spinelab.core.explaining import LANDMARK_MAPS, Explaining, Explanation, Sheet
from spinelab.core.measuring import Quantity, Reference, Stroke
from spinelab.core.model import Model
from spinelab.core.result import Finding, Heatmap, Landmark, Mask, Measurement, Result, SlicePoint, at_several_places
from spinelab.core.settings import Settings, setting
from spinelab.core.study import Fact, Image, Signal, Study, unknown
from spinelab.core.task import DIFFICULTIES, Example, Examples, Judgement, Progress, Run, Task, silent

__all__ = [
    "DIFFICULTIES",
    "LANDMARK_MAPS",
    "Doubt",
    "Example",
    "Examples",
    "Explaining",
    "Explanation",
    "Fact",
    "Finding",
    "Heatmap",
    "Image",
    "InputError",
    "Judgement",
    "Landmark",
    "Mask",
    "Measurement",
    "Model",
    "NotSureError",
    "Progress",
    "Quantity",
    "Reference",
    "Result",
    "Run",
    "Settings",
    "Sheet",
    "Signal",
    "SlicePoint",
    "SpinelabError",
    "Stroke",
    "Study",
    "Task",
    "TaskError",
    "at_several_places",
    "counted",
    "noted",
    "plural",
    "setting",
    "silent",
    "unknown",
]
