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
from polyhead.sources.coco import read_coco
from polyhead.sources.folders import read_folder
from polyhead.sources.generator import from_generator
from polyhead.sources.tables import read_table
from polyhead.sources.voc import read_voc
from polyhead.sources.yolo import read_yolo
from polyhead.vision import (
    Apply,
    Blur,
    Color,
    Crop,
    Cutout,
    Flip,
    Noise,
    RandomResizedCrop,
    Rotate,
    Scale,
    Shear,
    Shift,
)

__version__ = "0.1.0"

__all__ = [
    "Apply",
    "Array",
    "Binary",
    "Blur",
    "Boxes",
    "Categorical",
    "Color",
    "ContractError",
    "Crop",
    "Cutout",
    "DataError",
    "Embedding",
    "Feed",
    "Flip",
    "Image",
    "Keypoints",
    "Mask",
    "MultiLabel",
    "Noise",
    "PolyheadError",
    "PolyheadWarning",
    "Problem",
    "RandomResizedCrop",
    "Regression",
    "Report",
    "Rotate",
    "Scale",
    "Shear",
    "Shift",
    "Source",
    "compile",
    "examine",
    "from_generator",
    "outputs",
    "read_coco",
    "read_folder",
    "read_table",
    "read_voc",
    "read_yolo",
]
