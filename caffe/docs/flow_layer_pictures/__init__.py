"""The pictures of flow_layers.md: one function a picture, one module a subject."""

from . import augmentation, files, losses, matching, resizing, values
from .canvas import Picture

PICTURES: dict[str, Picture] = {
    name: Picture(name, draw, module.__file__)
    for module in (matching, resizing, losses, values, augmentation, files)
    for name, draw in module.PICTURES.items()
}
