"""Measures exported ONNX models in onnxruntime.

    python3 tools/onnx/measure.py shapes --promptsrc target/release/promptsrc --threads 2
    python3 tools/onnx/measure.py int8 --promptsrc target/release/promptsrc --threads 2

`shapes`: CLIPs of the published shapes with random weights, with the prompts of PromptSRC. For each the largest
difference of log probabilities from those of promptsrc, the size of the file, and images per second of both (promptsrc:
from the time that more images take, decoding included; onnxruntime: the model alone), measured in turns.
With `--processor-time`, for a machine that others use too, a second is one in which all threads compute.

`int8`: the built-in CLIP on the test images of the built-in world. Accuracy, size and speed of the exported
model, stored as f32 and as f16, and of onnxruntime's dynamic quantisation of it (`quantize_dynamic`).

Prints a Markdown table. Needs `pip install onnx onnxruntime numpy pillow safetensors`.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from check import ROOT, log_softmax, prepared, random_clip

try:
    import numpy as np
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from PIL import Image
    from safetensors.numpy import save_file
except ImportError as reason:
    sys.exit(f"measure.py: {reason}; pip install onnx onnxruntime numpy pillow safetensors")

SHAPES = {
    "ViT-B/32": dict(resolution=224, patch=32, vision=(768, 12), text=(512, 12), embed=512),
    "ViT-B/16": dict(resolution=224, patch=16, vision=(768, 12), text=(512, 12), embed=512),
    "ViT-L/14": dict(resolution=224, patch=14, vision=(1024, 24), text=(768, 12), embed=768),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("shapes", "int8"))
    parser.add_argument("--promptsrc", default="promptsrc", help="the command")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shapes", default=",".join(SHAPES), help="separated by commas")
    parser.add_argument("--sets", help="data sets of the world, separated by commas [default: all]")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--processor-time", action="store_true", help="count the time of the threads, not of the clock")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        {"shapes": shapes, "int8": int8}[options.what](options, pathlib.Path(folder))


def run(options, *words):
    command = [options.promptsrc, *map(str, words), "--quiet", "--threads", str(options.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


class Clock:
    """Seconds of a block of code, its children included."""

    def __init__(self, options):
        self.threads = options.threads if options.processor_time else None

    def now(self):
        if not self.threads:
            return time.perf_counter()
        children = os.times()
        times = time.process_time(), children.children_user, children.children_system
        return sum(times) / self.threads

    def __enter__(self):
        self.start = self.now()
        return self

    def __exit__(self, *_):
        self.seconds = self.now() - self.start


def session(model, options):
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = options.threads
    if options.processor_time:
        # Waiting would count.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])


def megabytes(model):
    data = model.with_name(model.name + ".data")
    return (model.stat().st_size + (data.stat().st_size if data.exists() else 0)) / 1e6


def seconds(options, served, pixels):
    with Clock(options) as clock:
        served.run(["logits"], {"pixel_values": pixels})
    return clock.seconds


def per_second(options, served, pixels):
    """Images per second: the median of the repetitions, after one to warm up."""
    times = [seconds(options, served, pixels) for _ in range(options.repetitions + 1)]
    return len(pixels) / statistics.median(times[1:])


def shapes(options, folder):
    print("| CLIP | largest difference | f32 file | onnxruntime | promptsrc |")
    print("|---|--:|--:|--:|--:|")
    batch, names = 4, "red circle,yellow star,a tea pot"
    for name in options.shapes.split(","):
        # As many as take a few seconds, beside which the start of the command does not vary.
        more = {"ViT-B/32": 44, "ViT-B/16": 24}.get(name, 8)
        shape = SHAPES[name]
        clip = folder / "clip.safetensors"
        save_file({k: v.astype(np.float16) for k, v in random_clip(**shape).items()}, clip)
        images = sorted((ROOT / "examples/images").glob("*/*.jpg"))[: batch + more]
        pictures = []
        for image in images:
            pictures.append(folder / f"{image.stem}.png")
            Image.open(image).convert("RGB").resize((shape["resolution"],) * 2).save(pictures[-1])
        adapter = folder / name.replace("/", "-")
        run(
            options, "train", "--clip", clip, "--data", ROOT / "examples/images", "--shots", 1,
            "--epochs", 1, "--precision", "f32", "--out", adapter,
        )  # fmt: skip
        model = folder / f"{adapter.name}.onnx"
        run(options, "export", adapter, "--names", names, "--out", model)

        def predict(count):
            words = ["--names", names, "--precision", "f32", "--json"]
            with Clock(options) as clock:
                found = run(options, "predict", adapter, *pictures[:count], *words)
            return clock.seconds, json.loads(found)

        about, pixels = prepared(model, pictures[:batch])
        served = session(model, options)
        found = log_softmax(served.run(["logits"], {"pixel_values": pixels})[0])
        times = []
        for _ in range(options.repetitions):
            few, expected = predict(batch)
            many, _ = predict(batch + more)
            times.append(((many - few) / more, seconds(options, served, pixels) / batch))
        ours, theirs = (1 / statistics.median(column) for column in zip(*times))
        rows = [{top["name"]: top["probability"] for top in image["top"]} for image in expected]
        with np.errstate(divide="ignore"):
            expected = np.log([[row[label] for label in about["labels"]] for row in rows])
        seen = expected > -80
        error = np.abs(found - expected)[seen].max()
        size = megabytes(model)
        print(f"| {name} | {error:.1e} | {size:.0f} MB | {theirs:.2f} images/s | {ours:.2f} images/s |", flush=True)
        del served
        for path in (clip, model):
            path.unlink()


def image_at(folder, path):
    """An image of a split file, which is in the folder or in one of its own."""
    places = [folder / path, *(sub / path for sub in folder.iterdir() if sub.is_dir())]
    return next(place for place in places if place.exists())


def int8(options, folder):
    listed = json.loads(run(options, "world", "list", "--json"))
    names = [entry["name"].removeprefix("world:") for entry in listed]
    names = options.sets.split(",") if options.sets else names
    run(options, "world", "export", folder / "world", "--sets", *names)
    rights = {}
    total, sizes, speeds = 0, {}, {}
    for name in names:
        classes = next(entry["classes"] for entry in listed if entry["name"].endswith(f":{name}"))
        lines = folder / "names.txt"
        lines.write_text("".join(line + "\n" for line in classes))
        models = {kind: folder / f"{name}-{kind}.onnx" for kind in ("f32", "f16", "int8")}
        for kind in ("f32", "f16"):
            how = ["--weights", kind, "--out", models[kind]]
            run(options, "export", "--clip", "mini", "--names-file", lines, *how)
        # What quantize_dynamic advises to do before.
        whole = folder / "whole.onnx"
        quant_pre_process(str(models["f32"]), str(whole), skip_symbolic_shape=True)
        quantize_dynamic(str(whole), str(models["int8"]), weight_type=QuantType.QInt8)
        (split,) = (folder / "world" / name).glob("split_zhou_*.json")
        test = json.loads(split.read_text())["test"]
        _, pixels = prepared(models["f32"], [image_at(split.parent, path) for path, *_ in test])
        labels = np.array([classes.index(entry[2]) for entry in test])
        total += len(labels)
        for kind, model in models.items():
            served = session(model, options)
            found = served.run(["logits"], {"pixel_values": pixels})[0].argmax(1)
            rights[kind] = rights.get(kind, 0) + (found == labels).sum()
            sizes[kind] = megabytes(model)
            speeds.setdefault(kind, []).append(per_second(options, served, pixels[:64]))
    print(f"{total} test images of {', '.join(names)}")
    print("| weights | accuracy | size | images per second |\n|---|--:|--:|--:|")
    for kind in rights:
        accuracy, speed = 100 * rights[kind] / total, statistics.median(speeds[kind])
        print(f"| {kind} | {accuracy:.2f} | {sizes[kind]:.2f} MB | {speed:.0f} |")


if __name__ == "__main__":
    main()
