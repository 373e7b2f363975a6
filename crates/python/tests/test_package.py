"""The package against the command: the same bits, and Python's manners."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import promptsrc

from conftest import IMAGES, REPOSITORY


def tensors(path: str) -> dict[str, bytes]:
    """The tensors of a safetensors file."""
    content = pathlib.Path(path).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    body = content[8 + length :]
    return {name: body[slice(*value["data_offsets"])] for name, value in header.items()}


def test_import_is_fast_and_brings_little() -> None:
    script = "import sys, time; a = time.perf_counter(); import promptsrc; print(time.perf_counter() - a); print('numpy' in sys.modules)"
    times = []
    for _ in range(5):
        out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        seconds, numpy = out.stdout.split()
        times.append(float(seconds))
        assert numpy == "False"
    print(f"import promptsrc: {min(times):.3f} s")


def test_features_are_those_of_the_command(clip, files, command, tmp_path) -> None:
    out = tmp_path / "features.safetensors"
    texts = tmp_path / "texts.txt"
    texts.write_text("a photo of a cat.\n")
    command("embed", "--images", *files, "--texts", texts, "--clip", "mini", "--precision", "f32", "--out", out)
    expected = tensors(str(out))
    images = clip.encode_images(files)
    assert images.dtype == np.float32 and images.shape == (len(files), clip.embed_dim)
    assert images.tobytes() == expected["image_features"]
    assert clip.encode_texts(["a photo of a cat."]).tobytes() == expected["text_features"]
    assert clip.encode_images([]).shape == (0, clip.embed_dim)


def test_a_pil_image_and_an_array_give_what_their_file_gives(clip, files) -> None:
    image_module = pytest.importorskip("PIL.Image")
    few = files[:8]
    expected = clip.encode_images(few)
    opened = [image_module.open(path) for path in few]
    assert clip.encode_images(opened).tobytes() == expected.tobytes()
    arrays = [np.asarray(image.convert("RGB")) for image in opened]
    assert clip.encode_images(arrays).tobytes() == expected.tobytes()
    grey = opened[0].convert("L")
    same = clip.encode_images([grey, np.asarray(grey), np.asarray(grey.convert("RGB"))])
    assert same[0].tobytes() == same[1].tobytes() == same[2].tobytes()
    # Not contiguous, and a palette.
    turned = np.asarray(arrays[0])[:, ::-1]
    again = np.ascontiguousarray(turned)
    assert clip.encode_images([turned]).tobytes() == clip.encode_images([again]).tobytes()
    palette = opened[0].convert("P")
    assert (
        clip.encode_images([palette]).tobytes()
        == clip.encode_images([np.asarray(palette.convert("RGB"))]).tobytes()
    )


def test_an_adapter_from_python_is_the_one_of_the_command(clip, answer, tmp_path) -> None:
    options = {"shots": 2, "epochs": 3, "seed": 4, "method": "promptsrc"}
    ours = promptsrc.train(clip, IMAGES, out=tmp_path / "python", progress=False, **options)
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    answer("train", "--clip", "mini", "--precision", "f32", "--data", IMAGES, "--out", tmp_path / "command", *arguments)
    expected = tmp_path / "command" / "adapter.safetensors"
    assert tensors(ours.path) == tensors(str(expected))
    assert pathlib.Path(ours.path).read_bytes() == expected.read_bytes()
    assert ours.method == "promptsrc" and ours.record["config"]["epochs"] == 3
    for name, values in ours.parameters.items():
        assert values.dtype == np.float32 and np.isfinite(values).all(), name

    # Probabilities, as the command prints them.
    images = sorted(str(path) for path in IMAGES.rglob("*.jpg"))[:5]
    names = ["red circle", "blue square", "yellow star"]
    predictions = ours.classifier(clip, names).predict(images, top=2)
    found = answer("predict", expected, *images, "--clip", "mini", "--names", ",".join(names), "--top-k", 2)
    for mine, theirs in zip(predictions, found):
        assert mine.image == theirs["image"]
        assert mine.name == theirs["top"][0]["name"]
        for (name, value), other in zip(mine.top, theirs["top"]):
            assert name == other["name"] and np.float32(value) == np.float32(other["probability"])
    rows = ours.classifier(clip, names).predict_proba(images)
    assert rows.shape == (5, 3) and np.allclose(rows.sum(axis=1), 1, atol=1e-6)

    # Evaluations.
    mine = ours.evaluate(clip, IMAGES, part="all")
    theirs = answer("eval", expected, "--clip", "mini", "--data", IMAGES, "--part", "all")
    for key in ("accuracy", "correct", "total", "macro_f1", "calibration_error", "confusion_matrix"):
        assert mine[key] == theirs[key], key
    assert "%" in mine._repr_html_() and "<table>" in mine._repr_html_()
    assert len(mine.rows()) == len(mine["per_class"])

    loaded = promptsrc.Adapter.load(tmp_path / "python")
    loaded.save(tmp_path / "copy.safetensors")
    with pytest.raises(FileExistsError):
        loaded.save(tmp_path / "copy.safetensors")


def test_images_in_memory_are_learned_and_evaluated(clip, files, labels) -> None:
    arrays = pytest.importorskip("PIL.Image")
    images = [np.asarray(arrays.open(path).convert("RGB")) for path in files]
    one = promptsrc.train(clip, images, labels, epochs=2, progress=False)
    again = promptsrc.train(clip, [arrays.open(path) for path in files], labels, epochs=2, progress=False)
    assert tensors(one.path) == tensors(again.path)
    assert one.class_names == sorted(set(labels))
    assert one.record["data"]["images"] == len(files)
    evaluation = one.evaluate(clip, images, labels)
    assert evaluation["total"] == len(files)
    by_path = one.evaluate(clip, files, labels)
    assert evaluation["correct"] == by_path["correct"]
    zero = promptsrc.evaluate(clip, images, [0] * len(images), class_names=["red circle", "blue square"])
    assert zero["total"] == len(images)


def test_a_run_goes_on_after_ctrl_c_with_the_bytes_of_one_that_was_not_stopped(tmp_path) -> None:
    script = textwrap.dedent(
        """
        import os, signal, sys, promptsrc
        clip = promptsrc.Clip.open("mini", precision="f32")
        data, out, stop = sys.argv[1:]
        steps = 0
        def observe(event):
            global steps
            steps += event["event"] == "step"
            if stop == "stop" and steps == 7:
                os.kill(os.getpid(), signal.SIGINT)
        try:
            promptsrc.train(clip, data, out=out, shots=2, epochs=30, batch_size=2, resume=True, progress=observe)
        except KeyboardInterrupt:
            print("interrupted")
        """
    )

    def run(out: pathlib.Path, stop: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script, str(IMAGES), str(out), stop],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert run(tmp_path / "whole", "go") == ""
    assert run(tmp_path / "part", "stop") == "interrupted\n"
    assert not (tmp_path / "part" / "adapter.safetensors").exists()
    assert (tmp_path / "part" / "state.safetensors").exists()
    assert run(tmp_path / "part", "go") == ""
    whole, part = ((tmp_path / name / "adapter.safetensors").read_bytes() for name in ("whole", "part"))
    assert whole == part


def test_an_observer_that_raises_ends_the_training(clip, tmp_path) -> None:
    class Enough(Exception):
        pass

    def observe(event: dict) -> None:
        if event["event"] == "step":
            raise Enough

    with pytest.raises(Enough):
        promptsrc.train(clip, IMAGES, out=tmp_path / "run", shots=2, epochs=50, progress=observe)
    # And the next one runs.
    adapter = promptsrc.train(clip, IMAGES, shots=2, epochs=1, progress=False)
    assert adapter.record["metrics"]["epochs"] == 1


def test_other_threads_run_meanwhile(clip, tmp_path) -> None:
    ticks, stop = [], threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.005)

    ticker = threading.Thread(target=tick)
    ticker.start()
    began = time.monotonic()
    promptsrc.train(clip, IMAGES, shots=4, epochs=20, progress=False)
    seconds = time.monotonic() - began
    stop.set()
    ticker.join()
    during = [moment for moment in ticks if began <= moment <= began + seconds]
    assert len(during) > 5 * min(seconds, 1.0)


def test_errors_are_pythons_with_our_messages(clip, tmp_path) -> None:
    with pytest.raises(OSError, match="nowhere") as missing:
        promptsrc.Adapter.load("nowhere/adapter.safetensors")
    assert isinstance(missing.value, promptsrc.PromptsrcError)
    with pytest.raises(ValueError, match="--epochs"):
        promptsrc.train(clip, IMAGES, epochs=0, progress=False)
    with pytest.raises(ValueError, match="method"):
        promptsrc.train(clip, IMAGES, method="no-such", progress=False)
    with pytest.raises(ValueError, match="unexpected argument"):
        promptsrc.train(clip, IMAGES, no_such_option=3, progress=False)
    with pytest.raises(ValueError, match="labels"):
        promptsrc.train(clip, [np.zeros((4, 4, 3), np.uint8)], progress=False)
    with pytest.raises(ValueError, match="float"):
        clip.encode_images([np.zeros((4, 4, 3))])
    with pytest.raises(ValueError, match="shape"):
        clip.encode_images([np.zeros((4, 4, 4), np.uint8)])
    with pytest.raises(ValueError, match="list"):
        clip.encode_images("a.jpg")
    with pytest.raises(ValueError, match="list"):
        clip.encode_texts("a cat")
    with pytest.raises(promptsrc.PromptsrcError, match="none.jpg"):
        clip.encode_images(["none.jpg"])
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ValueError, match="broken.jpg"):
        clip.encode_images([broken])
    with pytest.raises(promptsrc.PromptsrcError):
        promptsrc.Clip.open("mini", device="no-such")
    with pytest.raises(ValueError, match="precision"):
        promptsrc.Clip.open("mini", precision="f64")


def test_a_clip_can_be_copied_and_pickled(clip, files) -> None:
    assert copy.deepcopy(clip) is clip
    other = pickle.loads(pickle.dumps(clip))
    assert other.encode_images(files[:1]).tobytes() == clip.encode_images(files[:1]).tobytes()


def test_benchmarks_and_tables(clip, tmp_path, answer) -> None:
    options = {"datasets": ["surfaces"], "methods": ["zero-shot", "coop"], "seeds": [1], "shots": [1], "epochs": 1}
    tables = promptsrc.bench("base-to-novel", root="world", clip=clip, out=tmp_path / "runs", **options)
    again = promptsrc.table(tmp_path / "runs")
    assert tables[0]["sets"] == again[0]["sets"]
    assert again[0] == answer("bench", "table", tmp_path / "runs", "--format", "json")
    rows = again[0].rows()
    assert {row["method"] for row in rows} == {"zero-shot", "coop"}
    assert "<table>" in again[0]._repr_html_()


def test_onnx_models_are_those_of_the_command(clip, command, tmp_path) -> None:
    adapter = promptsrc.train(clip, IMAGES, shots=1, epochs=1, progress=False)
    names = ["red circle", "a star, or two"]
    written = adapter.export_onnx(clip, tmp_path / "ours.onnx", names)
    assert written and (tmp_path / "ours.json").exists()
    listed = tmp_path / "names.txt"
    listed.write_text("\n".join(names) + "\n")
    arguments = ["--names-file", listed, "--clip", "mini", "--out", tmp_path / "theirs.onnx"]
    command("export", adapter.path, *arguments)
    assert (tmp_path / "ours.onnx").read_bytes() == (tmp_path / "theirs.onnx").read_bytes()
    clip.export_onnx(tmp_path / "towers")
    assert (tmp_path / "towers" / "vision_model.onnx").exists()
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(tmp_path / "ours.onnx"))
    side = clip.resolution
    found = session.run(["probabilities"], {"pixel_values": np.zeros((2, 3, side, side), np.float32)})[0]
    assert found.shape == (2, 2) and np.allclose(found.sum(axis=1), 1, atol=1e-5)


def test_picks_files_and_data_sets_are_described(clip, tmp_path, answer) -> None:
    picks = promptsrc.sample(IMAGES, shots=2, seed=3)
    assert picks == answer("sample", "--data", IMAGES, "--shots", 2, "--seed", 3)
    run = tmp_path / "run"
    promptsrc.train(clip, IMAGES, out=run, shots=1, epochs=1, progress=False)
    assert promptsrc.inspect(run)["finished"] is True
    page = tmp_path / "report.html"
    written = promptsrc.report(run, out=page, no_evaluation=True)
    assert written["bytes"] == page.stat().st_size and written["of"] == "runs"
    assert isinstance(promptsrc.data_sets(tmp_path), (dict, list))


def test_the_installed_command_is_the_command(command) -> None:
    assert command("--version").strip().endswith(promptsrc.__version__)
    command("train", code=2)
    assert "promptsrc" in command("--help")


def test_the_readme_lines_run(tmp_path) -> None:
    """Every block of Python in the package's README, in one session, on the built-in CLIP."""
    text = (REPOSITORY / "crates" / "python" / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    assert blocks
    script = "\n".join(blocks)
    script = script.replace('"ViT-B/16"', '"mini"').replace('"images/"', repr(str(IMAGES)))
    picture = str(next(IMAGES.rglob("*.jpg")))
    script = script.replace('"a.jpg"', repr(picture)).replace("runs/pets", str(tmp_path / "pets"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr


def test_help_says_what_things_are() -> None:
    for name in promptsrc.__all__:
        thing = getattr(promptsrc, name)
        if callable(thing):
            assert (thing.__doc__ or "").strip(), name


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_ends_a_classification(clip, files) -> None:
    adapter_free = clip.classifier(["red circle", "blue square"])
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        adapter_free.predict_proba(files * 20000)
    # Nothing is left of the wish to stop.
    assert adapter_free.predict_proba(files[:2]).shape == (2, 2)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> promptsrc.Adapter:
    run = tmp_path_factory.mktemp("learned") / "run"
    return promptsrc.train(
        "mini", str(IMAGES), shots=1, epochs=1, precision="f32", out=run, progress=False
    )


def test_a_checkpoint_comes_back_as_the_adapter_it_was_made_from(learned, tmp_path) -> None:
    checkpoint, back = tmp_path / "checkpoint", tmp_path / "back.safetensors"
    written = promptsrc.convert(learned.path, checkpoint, clip="mini")
    assert written["kind"] == "reference checkpoint"
    promptsrc.convert(written["output"], back, clip="mini", method=learned.method)
    again = promptsrc.Adapter.load(back)
    assert {name: value.tobytes() for name, value in again.parameters.items()} == {
        name: value.tobytes() for name, value in learned.parameters.items()
    }
    with pytest.raises(promptsrc.PromptsrcError, match="exists"):
        promptsrc.convert(learned.path, checkpoint, clip="mini")


def test_a_classifier_on_another_clip_than_that_of_the_training_says_so(learned, clip, tmp_path) -> None:
    record = pathlib.Path(learned.path).read_bytes()
    fingerprint = clip.fingerprint.encode()
    for old, new, expected in (
        (rb'\"precision\":\"f32\"', rb'\"precision\":\"f16\"', "trained in f16, but the CLIP was opened in f32"),
        (fingerprint, fingerprint[::-1], "other weights"),
    ):
        assert record.count(old) == 1
        other = tmp_path / "other.safetensors"
        other.write_bytes(record.replace(old, new))
        with pytest.warns(promptsrc.PromptsrcWarning, match=expected):
            promptsrc.Adapter.load(other).classifier(clip)
