"""Calibrated answers: those of the command."""

from __future__ import annotations

import os

import pytest

import promptsrc

from conftest import IMAGES

IMAGE = str(IMAGES / "red_circle" / "red_circle_01.jpg")


@pytest.fixture(scope="module")
def adapter(command, tmp_path_factory) -> promptsrc.Adapter:
    """An adapter of base classes of the built-in world, in a run folder."""
    folder = tmp_path_factory.mktemp("run") / "run"
    options = ["--classes", "base", "--method", "ivlp", "--shots", "1", "--epochs", "1", "--precision", "f32"]
    command("train", "--clip", "mini", "--data", "world:objects", *options, "--out", folder)
    return promptsrc.Adapter.load(folder)


def test_sets_and_unknown_classes_are_those_of_the_command(adapter, clip, answer) -> None:
    classifier = adapter.classifier(clip)
    with pytest.raises(promptsrc.FileError, match="calibration.json"):
        classifier.predict([IMAGE], coverage=0.9)
    made = adapter.calibrate(clip, "world:objects")
    assert made["temperature"] > 0 and made["images"] > 15
    with pytest.raises(promptsrc.InputError, match="--force"):
        adapter.calibrate(clip, "world:objects")

    (found,) = classifier.predict([IMAGE], coverage=0.9, unknown=True)
    (expected,) = answer("predict", os.path.dirname(adapter.path), IMAGE, "--coverage", "0.9", "--unknown")
    assert found.set == [named["name"] for named in expected["set"]]
    assert found.unknown == expected["unknown"]["unknown"]
    assert found.score == expected["unknown"]["score"]
    assert found.name == expected["top"][0]["name"]
    assert found.probability == pytest.approx(expected["top"][0]["probability"], abs=1e-7)
    (plain,) = classifier.predict([IMAGE])
    assert plain.set is None and plain.unknown is None


def test_what_a_calibration_does_not_promise_is_an_error(adapter, clip) -> None:
    adapter.calibrate(clip, "world:objects", force=True)
    with pytest.raises(promptsrc.InputError, match="class names"):
        adapter.classifier(clip, ["cat", "dog"]).predict([IMAGE], unknown=True)
    with pytest.raises(promptsrc.InputError, match="above 0 and below 1"):
        adapter.classifier(clip).predict([IMAGE], coverage=1.5)
    with pytest.raises(promptsrc.InputError, match="zero-shot"):
        clip.classifier(["cat", "dog"]).predict([IMAGE], coverage=0.9)
