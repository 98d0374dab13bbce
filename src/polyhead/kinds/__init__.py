"""What goes in and what is predicted."""

from polyhead.kinds.base import Head, Input, Kind
from polyhead.kinds.categorical import Binary, Categorical, MultiLabel
from polyhead.kinds.coordinates import Boxes, Keypoints
from polyhead.kinds.inputs import Array, Image
from polyhead.kinds.mask import Mask
from polyhead.kinds.regression import Embedding, Regression

__all__ = [
    "Array",
    "Binary",
    "Boxes",
    "Categorical",
    "Embedding",
    "Head",
    "Image",
    "Input",
    "Keypoints",
    "Kind",
    "Mask",
    "MultiLabel",
    "Regression",
]
