"""What can be done to the images of a batch, written down as plain values: `transforms=[RandomResizedCrop(224), HorizontalFlip()]`.

Geometry is done to all fields of a sample alike, colour and numbers to images and not to masks, unless `fields=` names others.
"""

from pixstore.loader.transforms.base import Transform
from pixstore.loader.transforms.colour import ColorJitter, Threshold, ToGray
from pixstore.loader.transforms.geometry import (
    CenterCrop,
    HorizontalFlip,
    RandomCrop,
    RandomResizedCrop,
    RandomRotation,
    Resize,
    VerticalFlip,
)
from pixstore.loader.transforms.tensor import ChannelsFirst, Normalize, ToFloat

__all__ = [
    "CenterCrop",
    "ChannelsFirst",
    "ColorJitter",
    "HorizontalFlip",
    "Normalize",
    "RandomCrop",
    "RandomResizedCrop",
    "RandomRotation",
    "Resize",
    "Threshold",
    "ToFloat",
    "ToGray",
    "Transform",
    "VerticalFlip",
]
