"""A scikit-learn estimator: ``promptsrc.sklearn.PromptClassifier``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ._api import Adapter, Clip, PathLike, train
from ._images import ImageLike

__all__ = ["PromptClassifier"]

_OPENED: dict[str, Clip] = {}


def _opened(clip: Union[Clip, PathLike]) -> Clip:
    """A CLIP by its name is opened once in a process."""
    if isinstance(clip, Clip):
        return clip
    name = str(clip)
    if name not in _OPENED:
        _OPENED[name] = Clip.open(name)
    return _OPENED[name]


class PromptClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns prompts, or a head, for a frozen CLIP.

    X is a list (or an array) of images: paths, PIL images or uint8 arrays. y are labels of any kind; a class
    name is the label's text unless ``class_names`` says another.

    clip: an open :class:`promptsrc.Clip`, or what ``Clip.open`` takes.
    method, shots, seed, epochs: as ``promptsrc train``; of the images given to ``fit`` all are used unless
    ``shots`` says otherwise.
    class_names: a dictionary from a label to the words for its class.
    options: a dictionary of further options of ``promptsrc train``.
    """

    def __init__(
        self,
        clip: Union[Clip, PathLike] = "mini",
        method: str = "promptsrc",
        shots: Optional[int] = None,
        seed: int = 1,
        epochs: Optional[int] = None,
        class_names: Optional[dict[Any, str]] = None,
        options: Optional[dict[str, Any]] = None,
    ) -> None:
        self.clip = clip
        self.method = method
        self.shots = shots
        self.seed = seed
        self.epochs = epochs
        self.class_names = class_names
        self.options = options

    def fit(self, X: Sequence[ImageLike], y: Sequence[Any]) -> PromptClassifier:
        """Learn from labelled images."""
        labels = np.asarray(y)
        self.classes_, indices = np.unique(labels, return_inverse=True)
        words = self.class_names or {}
        names = [str(words.get(label, label)) for label in self.classes_.tolist()]
        clip = _opened(self.clip)
        options = {"epochs": self.epochs, **(self.options or {})}
        self.adapter_: Adapter = train(
            clip,
            list(X),
            indices.tolist(),
            class_names=names,
            method=self.method,
            shots="all" if self.shots is None else self.shots,
            seed=self.seed,
            progress=False,
            **options,
        )
        self.classifier_ = self.adapter_.classifier(clip, names)
        return self

    def predict_proba(self, X: Sequence[ImageLike]) -> Any:
        """Probabilities ``[images, classes]``, in the order of ``classes_``."""
        check_is_fitted(self)
        return self.classifier_.predict_proba(list(X))

    def predict(self, X: Sequence[ImageLike]) -> Any:
        """The most probable label of each image."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        # The fitted parts go by the adapter's file.
        adapter, _ = state.pop("adapter_", None), state.pop("classifier_", None)
        if adapter is not None:
            with open(adapter.path, "rb") as file:
                state["_adapter_bytes"] = file.read()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        import os
        import tempfile

        content = state.pop("_adapter_bytes", None)
        super().__setstate__(state)
        if content is not None:
            folder = tempfile.TemporaryDirectory(prefix="promptsrc-")
            path = os.path.join(folder.name, "adapter.safetensors")
            with open(path, "wb") as file:
                file.write(content)
            self.adapter_ = Adapter.load(path)
            self.adapter_._folder = folder
            self.classifier_ = self.adapter_.classifier(_opened(self.clip), self.adapter_.class_names)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags
