"""Prompt learning for a frozen CLIP that forgets nothing: PromptSRC and the methods it is compared with.

    import promptsrc

    clip = promptsrc.Clip.open("ViT-B/16")
    adapter = promptsrc.train(clip, "images/", shots=16, out="runs/pets")
    for answer in adapter.classifier(clip, ["abyssinian", "a tea pot"]).predict(["a.jpg"]):
        print(answer.image, answer.name, answer.probability)

An image is a path, a PIL image, or a uint8 array ``[height, width, 3]``. Options have the names of the
command's, with underscores; ``promptsrc train --help`` describes them. The results are the command's, bit for
bit. While Rust computes, other threads of Python run; Ctrl-C ends a training at its next step, with its state
saved.
"""

from __future__ import annotations

from ._api import (
    Adapter,
    Classifier,
    Clip,
    Evaluation,
    Prediction,
    Table,
    bench,
    convert,
    data_sets,
    demo,
    evaluate,
    inspect,
    report,
    sample,
    set_threads,
    table,
    train,
)
from ._errors import FileError, InputError, PromptsrcError, PromptsrcWarning
from ._promptsrc import __version__

__all__ = [
    "Adapter",
    "Classifier",
    "Clip",
    "Evaluation",
    "FileError",
    "InputError",
    "Prediction",
    "PromptsrcError",
    "PromptsrcWarning",
    "Table",
    "__version__",
    "bench",
    "convert",
    "data_sets",
    "demo",
    "evaluate",
    "inspect",
    "report",
    "sample",
    "set_threads",
    "table",
    "train",
]
