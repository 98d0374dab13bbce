"""What goes in and what is predicted."""

from polyhead.kinds._classes import CLASS_A_STEP
from polyhead.kinds.base import Head, Input, Kind
from polyhead.kinds.binary import Binary
from polyhead.kinds.categorical import Categorical, MultiLabel
from polyhead.kinds.coordinates import Boxes, Coordinates
from polyhead.kinds.each import Each, for_boxes
from polyhead.kinds.inputs import Array, Image
from polyhead.kinds.keypoints import Keypoints
from polyhead.kinds.map import Map
from polyhead.kinds.mask import Mask
from polyhead.kinds.pixels import Pixels
from polyhead.kinds.regression import Embedding, Regression

__all__ = [
    "CLASS_A_STEP",
    "Array",
    "Binary",
    "Boxes",
    "Categorical",
    "Coordinates",
    "Each",
    "Embedding",
    "Head",
    "Image",
    "Input",
    "Keypoints",
    "Kind",
    "Map",
    "Mask",
    "MultiLabel",
    "Pixels",
    "Regression",
    "for_boxes",
]
