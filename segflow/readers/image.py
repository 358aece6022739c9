"""Single images: colour frames, masks of one or several objects, and writing both.

Frames are (H, W, 3) uint8 RGB. Masks are (H, W) uint8: 0 background, 1 object (or the object's
number in `read_labels`). Masks on disk may be 1-bit, grey (0/255 or object numbers), palette
(DAVIS 2017) or colour; anything above zero is object.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from segflow.errors import DataError, MissingDataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".ppm", ".bmp", ".tif", ".tiff"})


def read_image(path: str | Path) -> np.ndarray:
    """Read a colour image as (H, W, 3) uint8 RGB.

    Grey and palette files become RGB, an alpha channel is dropped, of 16-bit samples the high
    byte is kept. Raises MissingDataError, or DataError where the file is not a readable image.
    """
    image = _decode(path)
    if image.mode.startswith("I"):
        grey = np.asarray(image) >> 8
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode == "F":
        raise DataError(f"{path}: floating-point image; frames must have 8 or 16 bits a channel")
    if image.mode != "RGB":
        image = image.convert("RGB")
    return np.asarray(image)


def read_mask(path: str | Path, object_number: int | None = None, soft: bool = False) -> np.ndarray:
    """Read a mask as (H, W) uint8, 1 on the object and 0 elsewhere.

    object_number: keep that object only; None merges all objects.
    soft: the file holds shades with smoothed borders (saliency sets); the upper half counts as
    object. Without it every value above zero does, as the DAVIS evaluation has it.
    """
    if object_number is not None:
        return (read_labels(path) == object_number).astype(np.uint8)
    image = _decode(path)
    values = _single_channel(image)
    if soft and image.mode not in ("1", "P") and values.max(initial=0) > 127:
        return (values > 127).astype(np.uint8)
    return (values > 0).astype(np.uint8)


def read_labels(path: str | Path) -> np.ndarray:
    """Read a mask as (H, W) uint8 object numbers, 0 background.

    A file with no other values than 0 and 255 holds one object, number 1. Raises DataError for
    a mask in colours, whose object numbers cannot be told.
    """
    image = _decode(path)
    if image.mode.startswith("RGB"):
        raise DataError(
            f"{path}: mask in colours (mode {image.mode}); object numbers need a grey or "
            "palette image"
        )
    values = _single_channel(image)
    highest = values.max(initial=0)
    if highest > 255:
        raise DataError(f"{path}: mask value {highest}; object numbers go up to 255")
    if highest == 255 and not np.any((values > 0) & (values < 255)):
        return (values > 0).astype(np.uint8)
    return values.astype(np.uint8)


def write_mask(path: str | Path, mask: np.ndarray) -> None:
    """Write (H, W) as an 8-bit grey PNG: 255 where mask > 0, else 0."""
    Image.fromarray(np.where(np.asarray(mask) > 0, 255, 0).astype(np.uint8)).save(
        path, format="PNG", compress_level=3
    )


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write (H, W, 3) uint8 RGB; the suffix of the path chooses the format.

    Pictures for people are written once a frame, and speed counts: OpenCV packs PNG in half of
    Pillow's time.
    """
    if Path(path).suffix.lower() == ".png":
        Path(path).write_bytes(_png(image))
    else:
        Image.fromarray(np.ascontiguousarray(image)).save(path)


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _decode(path: str | Path) -> Image.Image:
    """Open and decode completely, so that a damaged file fails here and by its name."""
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise MissingDataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a folder, not an image file") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read it") from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever their format makes them raise
        reason = " ".join(str(error).replace(str(path), "the file").split())
        raise DataError(f"{path}: not a readable image ({reason})") from error


def _single_channel(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    if image.mode == "1":
        return values.view(np.uint8)
    if values.ndim == 3:  # colours: any of them marks an object; alpha says nothing
        colours = values[:, :, :3] if values.shape[2] >= 3 else values[:, :, :1]
        return colours.max(axis=2)
    return values
