"""Calibrated answers from Python."""

import json
import os
import subprocess
import sys

import promptsrc
import pytest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An adapter of base classes of the built-in world in a run folder, and its CLIP."""
    folder = str(tmp_path_factory.mktemp("run") / "run")
    options = ["--classes", "base", "--method", "ivlp", "--shots", "1", "--epochs", "1", "--out", folder]
    command = [sys.executable, "-m", "promptsrc", "train", "--clip", "mini", "--data", "world:objects"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return promptsrc.Adapter.load(folder), promptsrc.Clip.open("mini")


def image():
    root = os.path.join(os.path.dirname(__file__), "..", "..", "..", "examples", "images")
    return os.path.join(root, "red_circle", "red_circle_01.jpg")


def test_a_calibration_gives_sets_and_unknown_classes_as_the_command_does(run):
    adapter, clip = run
    classifier = adapter.classifier(clip)
    with pytest.raises(promptsrc.FileError, match="calibration.json"):
        classifier.predict([image()], coverage=0.9)
    made = adapter.calibrate(clip, "world:objects")
    assert made["temperature"] > 0 and made["images"] > 15
    with pytest.raises(promptsrc.InputError, match="--force"):
        adapter.calibrate(clip, "world:objects")

    (found,) = classifier.predict([image()], coverage=0.9, unknown=True)
    command = ["predict", os.path.dirname(adapter.path), image(), "--coverage", "0.9", "--unknown", "--json"]
    command = [sys.executable, "-m", "promptsrc", *command, "--precision", clip.precision]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)[0]
    assert found.set == [named["name"] for named in answer["set"]]
    assert found.unknown == answer["unknown"]["unknown"]
    assert found.score == pytest.approx(answer["unknown"]["score"], abs=1e-6)
    assert found.name == answer["top"][0]["name"]
    assert found.probability == pytest.approx(answer["top"][0]["probability"], abs=1e-6)
    (plain,) = classifier.predict([image()])
    assert plain.set is None and plain.unknown is None


def test_what_a_calibration_does_not_promise_is_an_error(run):
    adapter, clip = run
    other = adapter.classifier(clip, ["cat", "dog"])
    with pytest.raises(promptsrc.InputError, match="class names"):
        other.predict([image()], unknown=True)
    with pytest.raises(promptsrc.InputError):
        adapter.classifier(clip).predict([image()], coverage=1.5)
    with pytest.raises(promptsrc.InputError, match="zero-shot"):
        clip.classifier(["cat", "dog"]).predict([image()], coverage=0.9)
