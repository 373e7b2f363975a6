"""Calibrated answers: those of the command."""

from __future__ import annotations

import json
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
    with pytest.raises(promptsrc.InputError, match="Clip.calibrate"):
        clip.classifier(["cat", "dog"]).predict([IMAGE], coverage=0.9)


def test_zero_shot_clip_is_calibrated_as_by_the_command(clip, command, answer, files, tmp_path) -> None:
    own, expected = tmp_path / "own.json", tmp_path / "expected.json"
    words = ["--zero-shot", "--clip", "mini", "--precision", "f32"]
    data = "world:objects"
    made = clip.calibrate(data, out=own, sets=["lac", "aps"], keep=0.9)
    command("calibrate", *words, "--data", data, "--sets", "lac,aps", "--keep", "0.9", "--out", expected)
    assert own.read_bytes() == expected.read_bytes()
    record = json.loads(own.read_text())
    assert made["temperature"] == record["temperature"]["value"]
    with pytest.raises(promptsrc.InputError, match="--force"):
        clip.calibrate(data, out=own)
    evaluation = promptsrc.evaluate(clip, data, calibration=own)
    assert [of["method"] for of in evaluation["calibrated"]["sets"]] == ["lac", "aps"]
    assert "calibrated" not in promptsrc.evaluate(clip, data)

    names = record["subject"]["class_names"]
    classifier = clip.classifier(names, calibration=own)
    wanted = ["--coverage", "0.9", "--unknown", "--sets", "aps"]
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in names))
    words += ["--names-file", tmp_path / "names.txt", "--calibration", expected]
    for asked, found in [
        (wanted, classifier.predict(files[:3], coverage=0.9, unknown=True, sets="aps")),
        ([], classifier.predict(files[:3])),
    ]:
        answers = answer("predict", *words, *files[:3], *asked)
        assert len(found) == len(answers) == 3
        for one, other in zip(found, answers):
            assert one.name == other["top"][0]["name"]
            assert one.probability == pytest.approx(other["top"][0]["probability"], abs=1e-7)
            if asked:
                assert one.set == [named["name"] for named in other["set"]]
                assert one.unknown == other["unknown"]["unknown"]
                assert one.score == other["unknown"]["score"]
            else:
                assert one.set is None and one.unknown is None
    plain = clip.classifier(names)
    assert plain.predict(files[:1])[0].probability != classifier.predict(files[:1])[0].probability
    assert (plain.predict_proba(files[:2]) == classifier.predict_proba(files[:2])).all()


def test_each_template_is_one_also_with_a_comma(clip, command, tmp_path) -> None:
    own, expected = tmp_path / "own.json", tmp_path / "expected.json"
    templates = ["a drawing of a {}, in colour.", "a {}."]
    clip.calibrate("world:objects", out=own, templates=templates)
    words = ["--zero-shot", "--clip", "mini", "--precision", "f32", "--data", "world:objects"]
    words += [f"--template={template}" for template in templates]
    command("calibrate", *words, "--out", expected)
    assert own.read_bytes() == expected.read_bytes()
    subject = json.loads(own.read_text())["subject"]
    assert subject["templates"] == templates
    assert clip.classifier(subject["class_names"], templates, calibration=own).predict([IMAGE])[0].set is None


def test_a_calibration_of_another_zero_shot_classifier_is_refused(clip, files, labels, tmp_path) -> None:
    file = tmp_path / "calibration.json"
    names = sorted(set(labels))
    # In memory: all images are taken.
    made = clip.calibrate(files, labels, out=file, class_names=names)
    assert made["images"] == len(files)
    assert clip.classifier(names, calibration=file).predict(files[:1], coverage=0.8)[0].set
    for wrong, match in [
        ((names[::-1],), "order"),
        ((names[:2],), "class names"),
        ((names, ["a {}."]), "templates"),
    ]:
        with pytest.raises(promptsrc.InputError, match=match):
            clip.classifier(*wrong, calibration=file)
    with pytest.raises(promptsrc.FileError, match="none.json"):
        clip.classifier(names, calibration=tmp_path / "none.json")
    with pytest.raises(promptsrc.InputError, match="--part test"):
        clip.calibrate("world:objects", out=file, part="test", force=True)
    with pytest.raises(promptsrc.InputError, match="templates"):
        clip.calibrate("world:objects", out=file, templates="a {}.", force=True)
