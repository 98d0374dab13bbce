"""Kinds of inputs and heads."""

from polyhead.kinds.array import Array
from polyhead.kinds.binary import Binary
from polyhead.kinds.boxes import Boxes
from polyhead.kinds.categorical import Categorical, MultiLabel
from polyhead.kinds.class_encoding import CLASS_A_STEP
from polyhead.kinds.head import Head
from polyhead.kinds.inputs import Image
from polyhead.kinds.keypoints import Keypoints
from polyhead.kinds.kind import Input, Kind, columns_read
from polyhead.kinds.map import Map
from polyhead.kinds.mask import Mask
from polyhead.kinds.per_element import Each, for_boxes, is_each
from polyhead.kinds.regression import Embedding, Regression

__all__ = [
    "CLASS_A_STEP",
    "Array",
    "Binary",
    "Boxes",
    "Categorical",
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
    "Regression",
    "columns_read",
    "for_boxes",
    "is_each",
]
