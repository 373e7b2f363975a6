import os
from collections.abc import Callable, Sequence
from typing import Optional, Union

_Image = Union[str, tuple[int, int, bytes]]

__version__: str

class Clip:
    source: str
    precision: str
    embed_dim: int
    resolution: int
    logit_scale: float
    fingerprint: str
    notes: list[str]
    @staticmethod
    def open(
        spec: str,
        device: str,
        precision: str,
        activation: Optional[str] = None,
        heads: Optional[tuple[int, int]] = None,
        image_size: Optional[int] = None,
        prefix: Optional[str] = None,
    ) -> Clip: ...
    def encode_images(self, images: Sequence[_Image], upright: bool) -> bytes: ...
    def encode_texts(self, texts: Sequence[str], truncate: bool) -> bytes: ...
    def classifier(self, names: Sequence[str], templates: Sequence[str]) -> Classifier: ...
    def calibration(
        self, file: Union[str, os.PathLike[str]], names: Sequence[str], templates: Sequence[str]
    ) -> Calibration: ...

class Adapter:
    path: str
    @staticmethod
    def load(path: Union[str, os.PathLike[str]]) -> Adapter: ...
    def record(self) -> str: ...
    def shapes(self) -> list[tuple[str, list[int]]]: ...
    def values(self, name: str) -> bytes: ...
    def classifier(self, clip: Clip, names: Sequence[str]) -> Classifier: ...
    def calibration(self, clip: Clip, names: Sequence[str]) -> Calibration: ...

class Classifier:
    names: list[str]
    def probabilities(self, images: Sequence[_Image], upright: bool) -> bytes: ...
    def logits(self, images: Sequence[_Image], upright: bool) -> bytes: ...

class Calibration:
    def record(self) -> str: ...
    def notes(
        self, coverage: Optional[float], sets: Optional[str], unknown: bool
    ) -> list[str]: ...
    def answer(
        self,
        logits: Sequence[float],
        coverage: Optional[float],
        sets: Optional[str],
        unknown: bool,
    ) -> tuple[list[float], Optional[list[int]], Optional[tuple[bool, float, float]]]: ...

def answer(
    arguments: Sequence[str],
    clip: Optional[Clip] = None,
    labelled: Optional[tuple[Sequence[_Image], Sequence[int], Sequence[str], str]] = None,
    observe: Optional[Callable[[str], None]] = None,
) -> tuple[str, list[str]]: ...
def main(arguments: Sequence[str]) -> int: ...
def set_threads(threads: int) -> None: ...
