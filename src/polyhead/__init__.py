"""polyhead feeds Keras 3 models that have many heads."""

from polyhead.doctor.examine import examine
from polyhead.errors import ContractError, DataError, PolyheadError, PolyheadWarning, Problem, Report
from polyhead.feed import Feed
from polyhead.keras_bridge.compile import compile, outputs
from polyhead.kinds import (
    Array,
    Binary,
    Boxes,
    Categorical,
    Embedding,
    Image,
    Keypoints,
    Mask,
    MultiLabel,
    Regression,
)
from polyhead.sources.base import Source
from polyhead.sources.generator import from_generator
from polyhead.sources.tables import read_table

__version__ = "0.1.0"

__all__ = [
    "Array",
    "Binary",
    "Boxes",
    "Categorical",
    "ContractError",
    "DataError",
    "Embedding",
    "Feed",
    "Image",
    "Keypoints",
    "Mask",
    "MultiLabel",
    "PolyheadError",
    "PolyheadWarning",
    "Problem",
    "Regression",
    "Report",
    "Source",
    "compile",
    "examine",
    "from_generator",
    "outputs",
    "read_table",
]
