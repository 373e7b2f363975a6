"""Compares exported ONNX models in onnxruntime with promptsrc itself.

    python3 tools/onnx/check.py --promptsrc target/release/promptsrc
    python3 tools/onnx/check.py --promptsrc target/release/promptsrc --clip ViT-B-32.pt --methods promptsrc

For each CLIP and each method it trains a moment on the example images, exports the run, checks the model with
`onnx.checker` (full check), prepares the images by Pillow and NumPy from the JSON file alone, and compares the
log probabilities of onnxruntime with those of `promptsrc predict --json`, image by image and in batches; in
f32, in f16, and with the weights in a file of their own. Rounding weights to f16 changes nothing where they are
numbers of half precision already, as all that are made here; of others only a coarse agreement is asked for. The towers' features are compared with those of `promptsrc embed`.

Without --clip the CLIPs are the tests' small ones, and some that are made here: patches that do not fill the image,
heads that are not 64 wide, features of an odd width, one layer only, GELU and QuickGELU, another epsilon.

Prints a line for each comparison, and exits with 1 if one is beyond its tolerance. Needs
`pip install onnx onnxruntime numpy pillow safetensors`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
    from PIL import Image, ImageOps
    from safetensors.numpy import load_file, save_file
except ImportError as reason:
    sys.exit(f"check.py: {reason}; pip install onnx onnxruntime numpy pillow safetensors")

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = [
    "promptsrc", "ivlp", "maple", "coop", "kgcoop", "prograd", "linear-probe", "zs-lp", "clap", "lp++",
    "tip-adapter", "tip-adapter-f", "clip-adapter",
]  # fmt: skip
NAMES = "red circle,yellow star,a tea pot"
BATCHES = (1, 5)
# Of log probabilities, where logits are around a hundred; of features, relative to their length.
LOGITS, FEATURES = 1e-3, 1e-5
# The same where weights are rounded.
ROUNDED_LOGITS, ROUNDED_FEATURES = 0.5, 0.01


def main():
    options = arguments()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        check = Check(options, pathlib.Path(folder))
        clips = {pathlib.Path(path).name or path: (path, []) for path in options.clip or []}
        for name, (clip, more) in (clips or check.small_clips()).items():
            check.towers(name, clip, more)
            for method in options.methods.split(","):
                check.method(name, clip, more, method)
        failures = check.failures
    print(f"{check.comparisons} comparisons, {failures} beyond their tolerance")
    return 1 if failures or not check.comparisons else 0


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--promptsrc", default="promptsrc", help="the command")
    parser.add_argument("--clip", action="append", help="a CLIP, as for train; can be given more than once")
    parser.add_argument("--methods", default=",".join(METHODS), help="separated by commas [default: all]")
    parser.add_argument("--images", default=ROOT / "examples/images", type=pathlib.Path, help="a folder per class")
    parser.add_argument("--quick", action="store_true", help="two CLIPs, and methods that differ in kind")
    options = parser.parse_args()
    if options.quick and options.methods == ",".join(METHODS):
        options.methods = "promptsrc,maple,coop,lp++,tip-adapter-f,clip-adapter"
    return options


class Check:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.comparisons = self.failures = 0
        # Without loss, so that it does not matter which JPEG decoder reads them.
        self.images = []
        (folder / "images").mkdir()
        classes = sorted(path for path in options.images.iterdir() if path.is_dir())
        for place in range(7):
            source = sorted(classes[place % len(classes)].iterdir())[place]
            image = Image.open(source).convert("RGB")
            # Of several shapes.
            image = image.resize((image.width + 11 * place, image.height + 29 * (place % 3)))
            self.images.append(folder / "images" / f"{place}.png")
            image.save(self.images[-1])

    def run(self, *words):
        command = [self.options.promptsrc, *map(str, words), "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        return done.stdout

    def report(self, what, error, tolerance):
        self.comparisons += 1
        is_bad = not error <= tolerance
        self.failures += is_bad
        print(f"{what}: {error:.2e}{f', more than {tolerance}' if is_bad else ''}", flush=True)

    def method(self, name, clip, more, method):
        run = self.folder / f"{name}-{method}"
        extra = ["--no-search"] if method.startswith("tip") else []
        extra = ["--probe-c", 1] if method == "linear-probe" else extra
        passes = ["--passes", 1] if method in ("zs-lp", "clap", "clip-adapter", "tip-adapter", "tip-adapter-f") else []
        epochs = [] if method in ("linear-probe", "tip-adapter") else ["--epochs", 2]
        self.run(
            "train", "--clip", clip, "--data", self.options.images, "--shots", 2, "--method", method, "--out", run,
            "--precision", "f32", *epochs, *extra, *passes, *more,
        )  # fmt: skip
        # Heads classify among their own classes.
        any_names = method in METHODS[:6] + ["clip-adapter"]
        names = ["--names", NAMES] if any_names else []
        kinds = [("f32", []), ("f32 beside", ["--external-above", 0])]
        for kind, how in kinds:
            out = self.folder / f"{run.name}-{kind.replace(' ', '-')}.onnx"
            self.run("export", run, *names, "--out", out, *how)
            expected = self.predicted([run, *names, "--precision", "f32"], out)
            self.compare(f"{name} {method} {kind}", out, expected)
        half, full = self.folder / f"{run.name}-f16.onnx", self.folder / f"{run.name}-f32.onnx"
        self.run("export", run, *names, "--out", half, "--weights", "f16")
        onnx.checker.check_model(str(half), full_check=True)
        about, pixels = prepared(half, self.images)
        results = [session(path).run(["logits"], {"pixel_values": pixels})[0] for path in (half, full)]
        tolerance = LOGITS if clip_is_half(clip) else ROUNDED_LOGITS
        self.report(f"{name} {method} f16", largest(*map(log_softmax, results)), tolerance)

    def predicted(self, words, model):
        """Log probabilities by the command, in the order of the labels."""
        about = json.loads(model.with_suffix(".json").read_text())
        labels = about["labels"]
        found = json.loads(self.run("predict", *words, *self.images, "--top-k", len(labels), "--json"))
        rows = [{top["name"]: top["probability"] for top in image["top"]} for image in found]
        with np.errstate(divide="ignore"):
            return np.log(np.array([[row[label] for label in labels] for row in rows], np.float64))

    def compare(self, what, model, expected):
        onnx.checker.check_model(str(model), full_check=True)
        about, pixels = prepared(model, self.images)
        metadata = {item.key: item.value for item in onnx.load(str(model), load_external_data=False).metadata_props}
        for key, value in about.items():
            if metadata[key] != (value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)):
                if json.loads(metadata[key]) != value:
                    sys.exit(f"{what}: the metadata says {metadata[key]!r} where the JSON file has {value!r}")
        served = session(model)
        for batch in BATCHES:
            names = ["logits", "probabilities", "features"]
            starts = range(0, len(pixels), batch)
            parts = [served.run(names, {"pixel_values": pixels[i : i + batch]}) for i in starts]
            logits, probabilities, features = (np.concatenate(part) for part in zip(*parts))
            found = log_softmax(logits)
            # A probability that single precision does not hold says nothing.
            seen = np.isfinite(expected) & (expected > -80)
            if not seen.any() or features.shape[1] != about["clip"]["embed_dim"]:
                sys.exit(f"{what}: nothing to compare")
            self.report(f"{what} batch {batch}", np.abs(found - expected)[seen].max(), LOGITS)
            if np.abs(np.exp(found) - probabilities).max() > 1e-5:
                sys.exit(f"{what}: probabilities are not the softmax of the logits")

    def towers(self, name, clip, more):
        for weights in ("f32", "f16"):
            out = self.folder / f"{name}-towers-{weights}"
            self.run("export", "--clip", clip, "--out", out, "--weights", weights, *more)
            features = self.folder / f"{name}-features.safetensors"
            self.run(
                "embed", "--clip", clip, "--images", *self.images, "--out", features, "--force",
                "--precision", "f32", *more,
            )  # fmt: skip
            is_exact = weights == "f32" or clip_is_half(clip)
            tolerance = FEATURES if is_exact else ROUNDED_FEATURES
            model = out / "vision_model.onnx"
            onnx.checker.check_model(str(model), full_check=True)
            _, pixels = prepared(model, self.images)
            found = session(model).run(None, {"pixel_values": pixels})[0]
            expected = load_file(features)["image_features"]
            self.report(f"{name} image tower {weights}", relative(found, expected), tolerance)
            self.text_tower(f"{name} text tower {weights}", clip, more, out / "text_model.onnx", tolerance)

    def text_tower(self, what, clip, more, model, tolerance):
        onnx.checker.check_model(str(model), full_check=True)
        about = json.loads(model.with_suffix(".json").read_text())["text"]
        known = json.loads((ROOT / "tools/goldens/data/tokenizer/tokens.json").read_text())
        texts = [case for case in known["rows"] if fits(case, about)][:12]
        if about["tokenizer"] != "clip" or about["vocab_size"] < known["eot"] or not texts:
            print(f"{what}: skipped, because its tokens are not CLIP's")
            return
        lines = self.folder / "texts.txt"
        lines.write_text("".join(case["text"] + "\n" for case in texts))
        features = self.folder / "texts.safetensors"
        self.run(
            "embed", "--clip", clip, "--texts", lines, "--out", features, "--force", "--precision", "f32", *more
        )  # fmt: skip
        expected = load_file(features)["text_features"]
        rows = [[known["sot"], *case["ids"], known["eot"]] for case in texts]
        served = session(model)
        for padded in (max(map(len, rows)), about["context_length"]):
            tokens = np.zeros((len(rows), padded), np.int64)
            for row, ids in zip(tokens, rows):
                row[: len(ids)] = ids
            found = served.run(None, {"input_ids": tokens})[0]
            self.report(f"{what} of {padded} tokens", relative(found, expected), tolerance)

    def small_clips(self):
        """By name: the file, and options that say what it does not."""
        clips = {"tiny": (str(ROOT / "tools/goldens/data/tiny/clip_openai_fp16.safetensors"), [])}
        odd = dict(resolution=50, patch=16, vision=(48, 3), text=(40, 2), embed=37)
        made = {
            "odd-gelu": (odd, ["--activation", "gelu", "--heads", "3,4", "--image-size", 50]),
            "one-layer": (
                dict(resolution=32, patch=8, vision=(66, 1), text=(30, 1), embed=7),
                ["--activation", "quick-gelu", "--heads", "6,3"],
            ),
        }
        for name, (shape, more) in made.items():
            path = self.folder / f"{name}.safetensors"
            save_file(random_clip(**shape), path)
            clips[name] = (str(path), more)
        if self.options.quick:
            del clips["one-layer"]
            return clips
        path = self.folder / "epsilon"
        open_clip(path, random_clip(**odd | {"resolution": 64}), eps=1e-3)
        clips["epsilon"] = (str(path), [])
        return clips


def fits(case, about):
    text, ids = case.get("text"), case.get("ids")
    if not text or not ids or case.get("error") or text != text.strip() or "\n" in text or "\r" in text or "\v" in text:
        return False
    return text.isascii() and text.isprintable() and len(ids) + 2 <= about["context_length"] and "|>" not in text


def clip_is_half(clip):
    path = pathlib.Path(clip)
    path = path / "open_clip_model.safetensors" if path.is_dir() else path
    if path.suffix != ".safetensors" or not path.exists():
        return False
    return all(np.array_equal(v, v.astype(np.float16).astype(np.float32)) for v in load_file(path).values())


def random_clip(resolution, patch, vision, text, embed, seed=0):
    """A CLIP of random numbers under OpenAI's names; `vision` and `text` are width and layers."""
    random = np.random.default_rng(seed)
    tensors = {}

    def add(name, *shape, mean=0.0, std=None):
        std = (shape[-1] if shape else 1) ** -0.5 if std is None else std
        # Numbers that half precision holds, as published weights are.
        tensors[name] = (mean + std * random.standard_normal(shape)).astype(np.float16).astype(np.float32)

    def norm(name, width):
        add(f"{name}.weight", width, mean=1.0, std=0.1)
        add(f"{name}.bias", width, std=0.1)

    def linear(name, inputs, outputs):
        add(f"{name}.weight", outputs, inputs)
        add(f"{name}.bias", outputs, std=0.1)

    def blocks(name, width, layers):
        for layer in range(layers):
            block = f"{name}.resblocks.{layer}"
            norm(f"{block}.ln_1", width)
            norm(f"{block}.ln_2", width)
            add(f"{block}.attn.in_proj_weight", 3 * width, width)
            add(f"{block}.attn.in_proj_bias", 3 * width, std=0.1)
            linear(f"{block}.attn.out_proj", width, width)
            linear(f"{block}.mlp.c_fc", width, 4 * width)
            linear(f"{block}.mlp.c_proj", 4 * width, width)

    width, layers = vision
    add("visual.conv1.weight", width, 3, patch, patch, std=0.05)
    add("visual.class_embedding", width, std=0.5)
    add("visual.positional_embedding", 1 + (resolution // patch) ** 2, width, std=0.5)
    norm("visual.ln_pre", width)
    blocks("visual.transformer", width, layers)
    norm("visual.ln_post", width)
    add("visual.proj", width, embed)
    width, layers = text
    add("token_embedding.weight", 49408, width, std=0.5)
    add("positional_embedding", 77, width, std=0.5)
    blocks("transformer", width, layers)
    norm("ln_final", width)
    add("text_projection", width, embed)
    tensors["logit_scale"] = np.array(np.log(100.0), np.float16).astype(np.float32)
    return tensors


def open_clip(folder, tensors, eps):
    """A folder of OpenCLIP's form: GELU, and another epsilon in layer normalisation, and an end-of-text token that is named."""
    folder.mkdir()
    save_file(tensors, folder / "open_clip_model.safetensors")
    patch = tensors["visual.conv1.weight"].shape[-1]
    tokens, width = tensors["visual.positional_embedding"].shape
    layers = sum(name.startswith("visual.") and name.endswith("ln_1.weight") for name in tensors)
    text = tensors["ln_final.weight"].shape[0]
    text_layers = sum(name.startswith("transformer.") and name.endswith("ln_1.weight") for name in tensors)
    resolution = patch * int((tokens - 1) ** 0.5)
    config = {
        "model_cfg": {
            "embed_dim": tensors["visual.proj"].shape[1],
            "vision_cfg": {
                "image_size": resolution, "layers": layers, "width": width, "patch_size": patch,
                "head_width": width // 3, "norm_kwargs": {"eps": eps},
            },
            "text_cfg": {
                "context_length": 77, "vocab_size": 49408, "width": text, "heads": 4, "layers": text_layers,
                "norm_kwargs": {"eps": eps}, "pool_type": "eos", "eos_id": 49407,
            },
        },
        "preprocess_cfg": {
            "mean": [0.5, 0.4, 0.3], "std": [0.3, 0.2, 0.25], "interpolation": "bilinear", "resize_mode": "squash",
        },
    }  # fmt: skip
    (folder / "open_clip_config.json").write_text(json.dumps(config))


def prepared(model, images):
    """The record of a model, and images as it takes them."""
    about = json.loads(model.with_suffix(".json").read_text())
    settings = about["preprocessing"]
    return about, np.stack([prepare(Image.open(path), settings) for path in images])


def prepare(image, settings):
    """[3, resolution, resolution] of an image, as the record says: every mode."""
    if settings["exif"]:
        image = ImageOps.exif_transpose(image)
    image = image.convert("RGB")
    side, (width, height) = settings["resolution"], image.size
    if settings["resize"] == "shortest":
        to = settings["resize_to"]
        size = to * width // min(width, height), to * height // min(width, height)
    elif settings["resize"] == "longest":
        long = max(width, height) / side
        size = round(width / long), round(height / long)
    else:
        size = (side, side) if settings["resize"] == "squash" else image.size
    # Across first, as in every Pillow up to 12.2: later ones begin with the height of tall images.
    filter = Image.Resampling[settings["interpolation"].upper()]
    image = image.resize((size[0], image.height), filter).resize(size, filter)

    def offset(length):
        if length < side:
            return -((side - length) // 2 if settings["crop"] == "half to even" else (side - length + 1) // 2)
        return round((length - side) / 2) if settings["crop"] == "half to even" else (length - side) // 2

    left, top = map(offset, image.size)
    square = Image.new("RGB", (side, side), (settings["fill"],) * 3)
    square.paste(image, (-left, -top))
    pixels = np.asarray(square, np.float32) * np.float32(settings["rescale"])
    pixels = (pixels - np.float32(settings["mean"])) / np.float32(settings["std"])
    return pixels.transpose(2, 0, 1)


def session(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits = logits - logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def largest(one, other):
    return np.abs(one - other).max()


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


if __name__ == "__main__":
    sys.exit(main())
