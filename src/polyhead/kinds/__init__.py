"""What goes in and what is predicted."""

from polyhead.kinds.base import Head, Input, Kind
from polyhead.kinds.categorical import Binary, Categorical, MultiLabel
from polyhead.kinds.inputs import Array, Image
from polyhead.kinds.regression import Embedding, Regression
from polyhead.kinds.spatial import Boxes, Keypoints, Mask

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
