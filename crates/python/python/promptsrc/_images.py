"""Images as the native half takes them: paths, or ``(width, height, bytes)`` of RGB."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Union

from ._errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image as PILImage

    ImageLike = Union[str, os.PathLike[str], PILImage.Image, npt.NDArray[np.uint8]]
else:
    ImageLike = Any

Native = Union[str, tuple[int, int, bytes]]


def native(image: ImageLike, place: int = 0) -> Native:
    """One image: a path, a PIL image, or an array ``[height, width, 3]`` (or grey ``[height, width]``) of
    uint8."""
    if isinstance(image, (str, os.PathLike)):
        return os.fspath(image)
    if hasattr(image, "convert") and hasattr(image, "tobytes") and hasattr(image, "size"):
        pil: Any = image
        width, height = pil.size
        return width, height, pil.convert("RGB").tobytes()
    if hasattr(image, "__array__") or hasattr(image, "__array_interface__"):
        return _of_array(image, place)
    raise InputError(
        f"image {place}: a path, a PIL image or an array of uint8 is expected, not {type(image).__name__}"
    )


def _of_array(image: Any, place: int) -> Native:
    import numpy as np

    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise InputError(
            f"image {place}: an array of {array.dtype}; uint8 from 0 to 255 is expected, as a decoder gives it"
        )
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise InputError(
            f"image {place}: an array of shape {array.shape}; [height, width, 3] or [height, width] is expected"
        )
    height, width, _ = array.shape
    return width, height, np.ascontiguousarray(array).tobytes()


def natives(images: Iterable[ImageLike]) -> list[Native]:
    """Many images; a single one is refused, because a path is also a sequence."""
    if isinstance(images, (str, bytes, os.PathLike)) or hasattr(images, "convert"):
        raise InputError("a list of images is expected, not a single image")
    return [native(image, place) for place, image in enumerate(images)]


def described(images: Sequence[ImageLike]) -> list[str]:
    """What each image is called in an answer: its path, or its place in the list."""
    paths = (str, os.PathLike)
    return [os.fspath(image) if isinstance(image, paths) else str(place) for place, image in enumerate(images)]
