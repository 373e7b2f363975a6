"""CLIPs, adapters, classifiers and the commands as functions."""

from __future__ import annotations

import html
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _promptsrc
from ._errors import InputError, PromptsrcWarning
from ._images import ImageLike, described, natives

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

PathLike = Union[str, "os.PathLike[str]"]
Labels = Sequence[Union[int, str]]
#: Images, labels as indices, class names, and a name for all.
_Labelled = tuple[list[Any], list[int], list[str], str]
Progress = Union[bool, Callable[[dict[str, Any]], object]]
#: The template of zero-shot CLIP.
_PHOTO = "a photo of a {}."


def _floats(data: bytes, *shape: int) -> Floats:
    import numpy as np

    return np.frombuffer(data, dtype=np.float32).reshape(shape).copy()


class Clip:
    """A frozen CLIP: ``Clip.open("ViT-B/16")``."""

    def __init__(self, native: _promptsrc.Clip, opened_with: tuple[str, dict[str, Any]]) -> None:
        self._native = native
        self._opened_with = opened_with

    @classmethod
    def open(
        cls,
        spec: PathLike,
        *,
        device: str = "cpu",
        precision: str = "auto",
        activation: Optional[str] = None,
        heads: Optional[tuple[int, int]] = None,
        image_size: Optional[int] = None,
        clip_prefix: Optional[str] = None,
    ) -> Clip:
        """Open a CLIP: a weight file or folder (OpenAI, Hugging Face, OpenCLIP), a name to download
        (``ViT-B/16``), a model of the Hugging Face hub, or ``mini``, the small built-in one.

        precision: ``f32``, ``bf16`` or ``auto``, the best that the processor has. The other options are for
        weights without a configuration, as for the command.
        """
        options = {
            "device": device,
            "precision": precision,
            "activation": activation,
            "heads": heads,
            "image_size": image_size,
            "prefix": clip_prefix,
        }
        native = _promptsrc.Clip.open(os.fspath(spec), **options)  # type: ignore[arg-type]
        for note in native.notes:
            _warn(f"{native.source}: {note}")
        return cls(native, (os.fspath(spec), options))

    @property
    def source(self) -> str:
        """Where it is from: an absolute path, or a name as given."""
        return self._native.source

    @property
    def precision(self) -> str:
        """Number format of the towers' products: ``f32`` or ``bf16``."""
        return self._native.precision

    @property
    def embed_dim(self) -> int:
        """Width of the features."""
        return self._native.embed_dim

    @property
    def resolution(self) -> int:
        """Side of the images that the tower sees, in pixels."""
        return self._native.resolution

    @property
    def logit_scale(self) -> float:
        """The factor between cosine similarities and logits."""
        return self._native.logit_scale

    @property
    def fingerprint(self) -> str:
        """Identifies the weights."""
        return self._native.fingerprint

    def encode_images(self, images: Iterable[ImageLike], *, exif: bool = False) -> Floats:
        """Features ``[images, embed_dim]``, float32, not normalised; ``exif``: turn files by their EXIF
        orientation."""
        given = natives(images)
        return _floats(self._native.encode_images(given, exif), len(given), self.embed_dim)

    def encode_texts(self, texts: Iterable[str], *, truncate: bool = False) -> Floats:
        """Features ``[texts, embed_dim]``, float32, not normalised; ``truncate``: cut texts that are too
        long instead of failing."""
        given = _strings("texts", texts)
        return _floats(self._native.encode_texts(given, truncate), len(given), self.embed_dim)

    def classifier(
        self,
        names: Iterable[str],
        templates: Iterable[str] = (_PHOTO,),
        *,
        calibration: Optional[PathLike] = None,
    ) -> Classifier:
        """Zero-shot CLIP for these class names. ``calibration``: the file of one that :meth:`calibrate` made for them
        and these templates; ``predict`` then answers with it."""
        names, templates = _strings("names", names), _strings("templates", templates)
        native = self._native.classifier(names, templates)
        if calibration is None:
            return Classifier(native)
        found = self._native.calibration(os.fspath(calibration), names, templates)
        return Classifier(native, lambda: found, always_calibrated=True)

    def calibrate(
        self,
        data: Union[PathLike, Iterable[ImageLike]],
        labels: Optional[Labels] = None,
        *,
        out: PathLike,
        class_names: Optional[Sequence[str]] = None,
        templates: Iterable[str] = (_PHOTO,),
        **options: Any,
    ) -> dict[str, Any]:
        """Make a calibration of zero-shot CLIP from labelled images, as ``promptsrc calibrate --zero-shot``, and write
        it to the file ``out``: ``data`` as for :func:`train`, ``part="train"``, ``keep=0.99``, ``force=True``.

        It is for the class names of the data, in order, and for these templates. Of images in memory all are taken.
        """
        arguments = ["calibrate", "--zero-shot", f"--out={os.fspath(out)}"]
        arguments += [f"--template={template}" for template in _strings("templates", templates)]
        return dict(_evaluated(arguments, self, data, labels, class_names, options))

    def export_onnx(
        self, out: PathLike, names: Optional[Iterable[str]] = None, **options: Any
    ) -> list[dict[str, Any]]:
        """Write the two towers as ONNX models into the folder ``out``; with class names, zero-shot CLIP as one
        model, as ``promptsrc export --clip``."""
        return _exported(["export", "--out", os.fspath(out)], self, names, options)

    def __repr__(self) -> str:
        return f"<promptsrc.Clip {self.source!r}, {self.precision}>"

    def __copy__(self) -> Clip:
        return self

    def __deepcopy__(self, memo: object) -> Clip:
        # It never changes.
        return self

    def __reduce__(self) -> tuple[Callable[..., Clip], tuple[str, dict[str, Any]]]:
        return _reopened, self._opened_with


def _reopened(spec: str, options: dict[str, Any]) -> Clip:
    options = dict(options)
    prefix = options.pop("prefix")
    return Clip.open(spec, clip_prefix=prefix, **options)


class Prediction:
    """The answer for one image."""

    __slots__ = ("image", "probability", "name", "top", "set", "unknown", "score")

    def __init__(
        self,
        image: str,
        top: list[tuple[str, float]],
        set: Optional[list[str]] = None,
        unknown: Optional[bool] = None,
        score: Optional[float] = None,
    ) -> None:
        self.image = image
        """The file, or the image's place in the list."""
        self.top = top
        """Class names with their probabilities, the most probable first."""
        self.name, self.probability = top[0]
        self.set = set
        """Names that hold the true class with the wanted probability, the most probable first; None: not asked for."""
        self.unknown = unknown
        """Whether the image shows none of the classes; None: not asked for."""
        self.score = score
        """The score by which it is unknown or not."""

    def __repr__(self) -> str:
        return f"Prediction(image={self.image!r}, name={self.name!r}, probability={self.probability:.4f})"


class Classifier:
    """Classifies images among class names."""

    def __init__(
        self,
        native: _promptsrc.Classifier,
        calibration: Optional[Callable[[], _promptsrc.Calibration]] = None,
        always_calibrated: bool = False,
    ) -> None:
        self._native = native
        # Read where it is asked for: without one, probabilities are there all the same.
        self._calibration = calibration
        # Where it was given, and was not just found beside an adapter.
        self._always_calibrated = always_calibrated

    @property
    def names(self) -> list[str]:
        """The class names, in the order of the probabilities."""
        return self._native.names

    def predict_proba(self, images: Iterable[ImageLike], *, exif: bool = False) -> Floats:
        """Probabilities ``[images, names]``, float32, without any calibration."""
        given = natives(images)
        return _floats(self._native.probabilities(given, exif), len(given), len(self.names))

    def predict(
        self,
        images: Iterable[ImageLike],
        *,
        top: int = 5,
        exif: bool = False,
        coverage: Optional[float] = None,
        sets: Optional[str] = None,
        unknown: bool = False,
    ) -> list[Prediction]:
        """The ``top`` most probable names of each image.

        With ``coverage`` (such as 0.95) also the set of names that holds the true one with this probability, of the
        kind ``sets`` (``lac``, ``aps``, ``raps``), and with ``unknown`` whether it shows none of them: by the calibration
        beside the adapter, from :meth:`Adapter.calibrate`, at whose temperature the probabilities are then. They always
        are where :meth:`Clip.classifier` was given a calibration.
        """
        if top < 1:
            raise InputError(f"top={top}: at least 1")
        images = list(images) if not hasattr(images, "__len__") else images
        if self._always_calibrated or coverage is not None or sets is not None or unknown:
            return self._calibrated(images, top, exif, (coverage, sets, unknown))
        rows = self.predict_proba(images, exif=exif)
        # Stable, so that of equal ones the earlier comes first, as in the command.
        orders = (-rows).argsort(axis=1, kind="stable")[:, :top]
        names = self.names
        found = []
        for image, row, order in zip(described(images), rows, orders):  # type: ignore[arg-type]
            found.append(Prediction(image, [(names[i], float(row[i])) for i in order]))
        return found

    def _calibrated(
        self,
        images: Iterable[ImageLike],
        top: int,
        exif: bool,
        wanted: tuple[Optional[float], Optional[str], bool],
    ) -> list[Prediction]:
        if self._calibration is None:
            raise InputError(
                "zero-shot CLIP has no calibration here: make one with Clip.calibrate, and give its file to "
                "Clip.classifier(names, calibration=FILE)"
            )
        calibration, names = self._calibration(), self.names
        for note in calibration.notes(*wanted):
            _warn(note)
        given = natives(images)
        logits = _floats(self._native.logits(given, exif), len(given), len(names))
        orders = (-logits).argsort(axis=1, kind="stable")[:, :top]
        found = []
        for image, row, order in zip(described(images), logits, orders):  # type: ignore[arg-type]
            probabilities, members, verdict = calibration.answer(row.tolist(), *wanted)
            found.append(
                Prediction(
                    image,
                    [(names[i], probabilities[i]) for i in order],
                    None if members is None else [names[i] for i in members],
                    None if verdict is None else verdict[0],
                    None if verdict is None else verdict[1],
                )
            )
        return found

    def __repr__(self) -> str:
        return f"<promptsrc.Classifier of {len(self.names)} classes>"


class Adapter:
    """What was learned: ``Adapter.load("runs/pets")``, a run folder or an adapter file."""

    def __init__(
        self, native: _promptsrc.Adapter, folder: Optional[tempfile.TemporaryDirectory[str]] = None
    ) -> None:
        self._native = native
        # Of a training without a run folder; it is removed with the adapter.
        self._folder = folder
        self._record: dict[str, Any] = json.loads(native.record())

    @classmethod
    def load(cls, path: PathLike) -> Adapter:
        """Load the adapter of a run folder, or of a file."""
        return cls(_promptsrc.Adapter.load(os.fspath(path)))

    @property
    def path(self) -> str:
        """Its file."""
        return os.fspath(self._native.path)

    @property
    def record(self) -> dict[str, Any]:
        """What it was made of: method, configuration, CLIP, images, figures."""
        return self._record

    @property
    def method(self) -> str:
        """The method that learned it."""
        return str(self._record["method"])

    @property
    def class_names(self) -> list[str]:
        """The class names it was trained on, in label order."""
        return list(self._record["class_names"])

    @property
    def parameters(self) -> dict[str, Floats]:
        """The learned values by name, float32."""
        shapes = self._native.shapes()
        return {name: _floats(self._native.values(name), *shape) for name, shape in shapes}

    def save(self, path: PathLike) -> None:
        """Copy its file. An existing file is not replaced."""
        with open(self.path, "rb") as file:
            content = file.read()
        with open(path, "xb") as file:
            file.write(content)

    def classifier(self, clip: Clip, names: Optional[Iterable[str]] = None) -> Classifier:
        """A classifier for these class names, by default those of the training. A warning says where the CLIP has
        other weights or another precision than that of the training."""
        for difference in self._differences(clip):
            _warn(f"{self.path}: {difference}")
        chosen = self.class_names if names is None else _strings("names", names)
        return Classifier(
            self._native.classifier(clip._native, chosen),
            lambda: self._native.calibration(clip._native, chosen),
        )

    def calibrate(
        self,
        clip: Clip,
        data: Union[PathLike, Iterable[ImageLike]],
        labels: Optional[Labels] = None,
        *,
        class_names: Optional[Sequence[str]] = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Make a calibration from labelled images, as ``promptsrc calibrate``, and write it beside the adapter:
        ``data`` as for :func:`train`, ``part="train"``, ``keep=0.99``, ``force=True``.

        Of images in memory all are taken, but those that the adapter was trained on: they are known by their pixels.
        """
        arguments = ["calibrate", self.path]
        return dict(_evaluated(arguments, clip, data, labels, class_names, options))

    def _differences(self, clip: Clip) -> list[str]:
        found = []
        trained = str(self._record.get("precision", ""))
        if trained not in ("", clip.precision):
            found.append(f"trained in {trained}, but the CLIP was opened in {clip.precision}: results may differ slightly")
        known = self._record.get("clip", {})
        if known.get("fingerprint") and known["fingerprint"] != clip.fingerprint:
            found.append(
                f"trained on the CLIP {known.get('name')}, which has other weights than {clip.source}: results will differ"
            )
        return found

    def evaluate(
        self,
        clip: Clip,
        data: Union[PathLike, Iterable[ImageLike]],
        labels: Optional[Labels] = None,
        *,
        class_names: Optional[Sequence[str]] = None,
        **options: Any,
    ) -> Evaluation:
        """Evaluate on labelled images, as ``promptsrc eval``: ``data`` as for :func:`train`."""
        arguments = ["eval", self.path]
        return _evaluated(arguments, clip, data, labels, class_names, options)

    def export_onnx(
        self, clip: Clip, out: PathLike, names: Optional[Iterable[str]] = None, **options: Any
    ) -> list[dict[str, Any]]:
        """Write the image tower with its prompts and the class features as an ONNX model, as ``promptsrc
        export``: ``weights="f16"``, ``force=True``. The answer says of each model what was written. The class
        features are computed in the precision in which ``clip`` was opened; the command takes f32."""
        arguments = ["export", self.path, "--out", os.fspath(out)]
        return _exported(arguments, clip, names, options)

    def __repr__(self) -> str:
        return f"<promptsrc.Adapter {self.method} of {len(self.class_names)} classes>"


class _Answer(dict[str, Any]):
    """A JSON answer of the command."""


class Evaluation(_Answer):
    """An evaluation: ``accuracy``, ``macro_f1``, ``per_class``, ``confusion_matrix``, ``provenance``, ..., as
    ``promptsrc eval --json`` writes it."""

    @property
    def accuracy(self) -> float:
        """Fraction of the images that are classified correctly."""
        return float(self["accuracy"])

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each class, for ``pandas.DataFrame``."""
        return [dict(row) for row in self["per_class"]]

    def __repr__(self) -> str:
        return f"<promptsrc.Evaluation: {self['correct']} of {self['total']} correct, {100 * self.accuracy:.2f} %>"

    def _repr_html_(self) -> str:
        head = (
            f"<p><b>{100 * self.accuracy:.2f} %</b>: {self['correct']} of {self['total']} images, "
            f"macro F1 {100 * self['macro_f1']:.2f} %, calibration error {100 * self['calibration_error']:.2f} %</p>"
        )
        return head + _html_table(self.rows())


class Table(_Answer):
    """A table of a benchmark, as ``promptsrc bench table --format json`` writes it."""

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each number, for ``pandas.DataFrame``: data set, method, metric, mean, ..."""
        rows = []
        for data_set, methods in self["sets"].items():
            for method, metrics in methods.items():
                for metric, cell in metrics.items():
                    if isinstance(cell, Mapping):
                        rows.append({"data_set": data_set, "method": method, "metric": metric, **cell})
        return rows

    def __repr__(self) -> str:
        return f"<promptsrc.Table {self['protocol']}: {len(self['sets'])} data sets>"

    def _repr_html_(self) -> str:
        columns = ("data_set", "method", "metric", "mean", "deviation", "runs")
        rows = [{name: row.get(name) for name in columns} for row in self.rows()]
        return f"<p><b>{html.escape(str(self['protocol']))}</b></p>" + _html_table(rows)


def _html_table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""

    def cell(value: object) -> str:
        if value is None:
            return "-"
        return f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))

    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    lines = ("".join(f"<td>{cell(value)}</td>" for value in row.values()) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def train(
    clip: Union[Clip, PathLike],
    data: Union[PathLike, Iterable[ImageLike]],
    labels: Optional[Labels] = None,
    *,
    class_names: Optional[Sequence[str]] = None,
    out: Optional[PathLike] = None,
    progress: Progress = True,
    **options: Any,
) -> Adapter:
    """Learn an adapter from a few labelled images, as ``promptsrc train``.

    data: a folder with a subfolder per class, a list (``.csv``, ``.tsv``, ``.jsonl``), a folder that a split
    file refers to, ``world:NAME``; or images in memory, with their ``labels``: class names, or indices into
    ``class_names``. Of images in memory all are used unless ``shots`` says otherwise.

    out: the run folder, which is resumed with ``resume=True``; without it the run is kept only until the
    adapter is dropped.

    progress: a bar by tqdm, if it is installed; a function is called with every event, as a dictionary; what
    it raises ends the training.

    options: those of the command, such as ``method="coop"``, ``shots=16``, ``seed=1``, ``epochs=20``.
    """
    folder = None
    if out is None:
        folder = tempfile.TemporaryDirectory(prefix="promptsrc-")
        out = os.path.join(folder.name, "run")
    place, labelled = _data(data, labels, class_names, options)
    if labelled is not None:
        options.setdefault("shots", "all")
    opened, source = _opened(clip)
    arguments = ["train", "--clip", source, "--data", place, "--out", os.fspath(out)]
    arguments += _arguments(_defaults(opened, options))
    with _Observer(progress) as observe:
        _answer(arguments, opened, labelled, observe)
    adapter = Adapter.load(out)
    adapter._folder = folder
    return adapter


def evaluate(
    clip: Union[Clip, PathLike],
    data: Union[PathLike, Iterable[ImageLike]],
    labels: Optional[Labels] = None,
    *,
    class_names: Optional[Sequence[str]] = None,
    **options: Any,
) -> Evaluation:
    """Evaluate zero-shot CLIP on labelled images, as ``promptsrc eval --zero-shot``; an adapter has a method
    of this name."""
    return _evaluated(["eval", "--zero-shot"], clip, data, labels, class_names, options)


def _evaluated(
    arguments: list[str],
    clip: Union[Clip, PathLike],
    data: Union[PathLike, Iterable[ImageLike]],
    labels: Optional[Labels],
    class_names: Optional[Sequence[str]],
    options: dict[str, Any],
) -> Evaluation:
    place, labelled = _data(data, labels, class_names, options)
    opened, source = _opened(clip)
    arguments = [*arguments, "--clip", source, "--data", place]
    arguments += _arguments(_defaults(opened, options))
    return Evaluation(_answer(arguments, opened, labelled))


def _exported(
    arguments: list[str], clip: Clip, names: Optional[Iterable[str]], options: dict[str, Any]
) -> list[dict[str, Any]]:
    arguments = [*arguments, "--clip", clip.source, *_arguments(_defaults(clip, options))]
    if names is None:
        return list(_answer(arguments, clip))
    chosen = _strings("names", names)
    broken = [name for name in chosen if "\n" in name or "\r" in name]
    if broken:
        raise InputError(f"names: {broken[0]!r} has a line break")
    with tempfile.TemporaryDirectory(prefix="promptsrc-") as folder:
        # Names may have commas.
        path = os.path.join(folder, "names.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in chosen)
        return list(_answer([*arguments, "--names-file", path], clip))


def sample(data: PathLike, *, shots: int, seed: int = 1, **options: Any) -> dict[str, Any]:
    """Which images a few-shot subset contains, as ``promptsrc sample``."""
    arguments = ["sample", "--data", os.fspath(data)]
    arguments += _arguments({"shots": shots, "seed": seed, **options})
    return dict(_answer(arguments))


def data_sets(root: PathLike) -> Any:
    """Which of the paper's 15 data sets are in a folder, and whether they are complete, as ``promptsrc data
    check``."""
    return _answer(["data", "check", os.fspath(root)])


def inspect(path: PathLike, **options: Any) -> dict[str, Any]:
    """What a weight file, adapter, run folder or checkpoint of the reference contains, as ``promptsrc
    inspect``."""
    return dict(_answer(["inspect", os.fspath(path), *_arguments(options)]))


def convert(
    input: PathLike, output: PathLike, *, clip: Union[Clip, PathLike, None] = None, **options: Any
) -> dict[str, Any]:
    """Convert a checkpoint of a published Python trainer to an adapter, or an adapter to a checkpoint, as
    ``promptsrc convert``."""
    arguments = ["convert", os.fspath(input), os.fspath(output)]
    opened = None
    if clip is not None:
        opened, source = _opened(clip)
        arguments += ["--clip", source]
        options = _defaults(opened, options)
    return dict(_answer([*arguments, *_arguments(options)], opened))


def demo(**options: Any) -> dict[str, Any]:
    """The method at work on the built-in world, as ``promptsrc demo``: ``out`` is the folder of its runs,
    ``methods`` chooses the rows."""
    return dict(_answer(["demo", *_arguments(options)]))


def bench(
    protocol: str, *, root: PathLike, clip: Union[Clip, PathLike, None] = None, **options: Any
) -> list[Table]:
    """Run a protocol of the paper (``base-to-novel``, ``few-shot``, ``cross-dataset``,
    ``domain-generalization``), except for finished runs, as ``promptsrc bench``. ``out`` is the folder of the
    runs; lists such as ``methods``, ``seeds``, ``datasets`` are Python's."""
    arguments = ["bench", protocol, "--root", os.fspath(root)]
    opened = None
    if clip is not None:
        opened, source = _opened(clip)
        arguments += ["--clip", source]
    arguments += _arguments(_defaults(opened, options))
    return _tables(_answer(arguments, opened))


def table(folder: PathLike, **options: Any) -> list[Table]:
    """The tables of the finished runs in a folder, as ``promptsrc bench table``."""
    return _tables(_answer(["bench", "table", os.fspath(folder), *_arguments(options)]))


def report(
    runs: Union[PathLike, Sequence[PathLike]], *, out: PathLike, **options: Any
) -> dict[str, Any]:
    """Write a page (HTML, one file) of runs side by side, or of a sweep, as ``promptsrc report``; what was
    written."""
    paths = [runs] if isinstance(runs, (str, os.PathLike)) else list(runs)
    arguments = ["report", *[os.fspath(path) for path in paths], "--out", os.fspath(out)]
    return dict(_answer([*arguments, *_arguments(options)]))


def set_threads(threads: int) -> None:
    """Number of threads of all arithmetic, by default one for each core. It is set once, before anything is
    computed; the results do not depend on it."""
    if threads < 1:
        raise InputError(f"threads={threads}: at least 1")
    _promptsrc.set_threads(threads)


def _tables(found: Any) -> list[Table]:
    return [Table(each) for each in (found if isinstance(found, list) else [found])]


def _strings(what: str, values: Iterable[str]) -> list[str]:
    if isinstance(values, str):
        raise InputError(f"{what}: a list is expected, not a single string")
    return list(values)


def _opened(clip: Union[Clip, PathLike]) -> tuple[Optional[Clip], str]:
    """A CLIP that is open, if it is, and what names it for the command."""
    if isinstance(clip, Clip):
        return clip, clip.source
    return None, os.fspath(clip)


def _data(
    data: Union[PathLike, Iterable[ImageLike]],
    labels: Optional[Labels],
    class_names: Optional[Sequence[str]],
    options: dict[str, Any],
) -> tuple[str, Optional[_Labelled]]:
    """What ``--data`` says, and the images in memory, if they are; ``options`` get the file of class names."""
    labelled = _labelled(data, labels, class_names)
    if labelled is not None:
        return "memory", labelled
    if class_names is not None:
        options["class_names"] = class_names
    return os.fspath(data), None  # type: ignore[arg-type]


def _defaults(clip: Optional[Clip], options: dict[str, Any]) -> dict[str, Any]:
    """The options of the CLIP that is open; saying them again is not needed."""
    if clip is None:
        return options
    _, opened = clip._opened_with
    given = {"device": opened["device"], "precision": clip.precision}
    for name, value in given.items():
        if options.get(name, value) not in (value, "auto"):
            raise InputError(f"{name}={options[name]!r}: the CLIP was opened with {value!r}")
    return {**options, "device": given["device"], "precision": given["precision"]}


def _arguments(options: dict[str, Any]) -> list[str]:
    """Options as the command takes them."""
    arguments = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            arguments.append(option)
        elif isinstance(value, (list, tuple)):
            arguments.append(f"{option}={','.join(map(str, value))}")
        else:
            text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
            arguments.append(f"{option}={text}")
    return arguments


def _labelled(
    data: Union[PathLike, Iterable[ImageLike]],
    labels: Optional[Labels],
    class_names: Optional[Sequence[str]],
) -> Optional[_Labelled]:
    """Images in memory with labels as indices; None where ``data`` is a path."""
    if isinstance(data, (str, os.PathLike)):
        if labels is not None:
            raise InputError("labels are for images in memory; a path has its own")
        return None
    if labels is None:
        raise InputError("images in memory need labels")
    images = natives(data)
    given = list(labels)
    if class_names is None:
        names = sorted({str(label) for label in given})
        return images, [names.index(str(label)) for label in given], names, "memory"
    names = _strings("class_names", class_names)
    places = {name: place for place, name in enumerate(names)}
    indices = []
    for label in given:
        place = places.get(label) if isinstance(label, str) else int(label)
        if place is None or not 0 <= place < len(names):
            raise InputError(f"label {label!r} is not one of the {len(names)} class names")
        indices.append(place)
    return images, indices, names, "memory"


def _answer(
    arguments: Sequence[str],
    clip: Optional[Clip] = None,
    labelled: Optional[_Labelled] = None,
    observe: Optional[Callable[[str], None]] = None,
) -> Any:
    native = clip._native if clip is not None else None
    text, notes = _promptsrc.answer(arguments, native, labelled, observe)
    for note in notes:
        _warn(note)
    return json.loads(text) if text.strip() else {}


def _warn(text: str) -> None:
    # Of the line that has called this package.
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, PromptsrcWarning, stacklevel=max(level - 1, 1))


class _Observer:
    """Shows the events of a training, or passes them on."""

    def __init__(self, progress: Progress) -> None:
        self._callback = progress if callable(progress) else None
        self._bar: Any = None
        self._wants_bar = progress is True

    def __enter__(self) -> Optional[Callable[[str], None]]:
        if self._callback is None and not self._wants_bar:
            return None
        if self._callback is None:
            try:
                import tqdm.auto  # noqa: F401
            except ImportError:
                return None
        return self._event

    def _event(self, text: str) -> None:
        event: dict[str, Any] = json.loads(text)
        if self._callback is not None:
            self._callback(event)
            return
        from tqdm.auto import tqdm

        kind = event["event"]
        if kind == "start" and event["steps"]:
            total = event["epochs"] * event["steps"]
            initial = event["finished"] * event["steps"]
            self._bar = tqdm(total=total, initial=initial, unit="step", desc=event["method"])
        elif kind == "step" and self._bar is not None:
            self._bar.update(1)
            self._bar.set_postfix(epoch=event["epoch"], loss=f"{event['total']:.3f}", refresh=False)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
