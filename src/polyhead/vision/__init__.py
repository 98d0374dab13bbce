"""Images: decoding them, and augmenting a sample as one: images, masks, boxes and keypoints."""

from polyhead.vision.apply import Apply
from polyhead.vision.base import Augmentation
from polyhead.vision.decode import Decoded, decode, decode_colours, decode_mask, header_of, size_of
from polyhead.vision.geometric import Crop, Flip, RandomResizedCrop, Rotate, Scale, Shear, Shift
from polyhead.vision.joint import Joint, Plan, Sample
from polyhead.vision.mixing import Cutmix, Mixup, Mosaic
from polyhead.vision.photometric import Blur, Color, Cutout, Noise

__all__ = [
    "Apply",
    "Augmentation",
    "Blur",
    "Color",
    "Crop",
    "Cutmix",
    "Cutout",
    "Decoded",
    "Flip",
    "Joint",
    "Mixup",
    "Mosaic",
    "Noise",
    "Plan",
    "RandomResizedCrop",
    "Rotate",
    "Sample",
    "Scale",
    "Shear",
    "Shift",
    "decode",
    "decode_colours",
    "decode_mask",
    "header_of",
    "size_of",
]
