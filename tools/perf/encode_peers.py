"""Seconds per image of the prompted image tower in inference engines: what our evaluation is compared with.

    python3 tools/perf/encode_peers.py --engine onnxruntime --precision f32 --batch 20 --threads 2
    python3 tools/perf/encode_peers.py --engine openvino --precision f32 --batch 20 --threads 2
    python3 tools/perf/encode_peers.py --engine torch-compile --precision f32 --batch 20 --threads 2

ViT-B/16 with random weights and four prompt tokens in each of its first nine layers, as
`promptsrc-perf encode` computes it. For onnxruntime and OpenVINO it is an ONNX graph whose constants
are the weights; for onnxruntime with its own fused attention. For PyTorch it is the tower of
`torch_step.py`, compiled. `--check` also compares the features with those of NumPy.

Prints one line of JSON: `eval_seconds_per_picture` (the median of `--repetitions` batches, after one to
warm up), and the options.

Needs NumPy and, by engine, `pip install onnx onnxruntime`, `pip install onnx openvino`, or PyTorch.
"""

import argparse
import importlib
import json
import statistics
import sys
import time

try:
    import numpy as np
except ImportError as reason:
    sys.exit(f"encode_peers.py: NumPy is missing ({reason}); pip install numpy")

LAYERS, WIDTH, HEADS, EMBED = 12, 768, 12, 512
PATCH, RESOLUTION = 16, 224
CONTEXT, DEPTH = 4, 9
EPSILON = 1e-5


class Weights:
    """Random weights by name, the same in every engine."""

    def __init__(self):
        self.random = np.random.default_rng(0)
        patches = (RESOLUTION // PATCH) ** 2
        self.by_name = {}
        self.add("patch", WIDTH, 3, PATCH, PATCH)
        self.add("class", 1, 1, WIDTH)
        self.add("positions", 1 + patches, WIDTH)
        self.norm("pre")
        for layer in range(LAYERS):
            if layer < DEPTH:
                self.add(f"prompt{layer}", 1, CONTEXT, WIDTH)
            self.norm(f"{layer}.norm1")
            self.linear(f"{layer}.qkv", WIDTH, 3 * WIDTH)
            self.linear(f"{layer}.out", WIDTH, WIDTH)
            self.norm(f"{layer}.norm2")
            self.linear(f"{layer}.widen", WIDTH, 4 * WIDTH)
            self.linear(f"{layer}.narrow", 4 * WIDTH, WIDTH)
        self.norm("post")
        self.add("projection", WIDTH, EMBED)

    def add(self, name, *shape, mean=0.0):
        values = mean + 0.02 * self.random.standard_normal(shape)
        self.by_name[name] = values.astype(np.float32)

    def norm(self, name):
        self.add(f"{name}.gain", WIDTH, mean=1.0)
        self.add(f"{name}.shift", WIDTH)

    def linear(self, name, inputs, outputs):
        self.add(f"{name}.weight", inputs, outputs)
        self.add(f"{name}.bias", outputs)


def onnx_graph(weights, batch, fused):
    """The tower as an ONNX model; `fused`: with onnxruntime's own attention."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], [numpy_helper.from_array(v, k) for k, v in weights.by_name.items()]

    def node(kind, *inputs, domain="", **attributes):
        name = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def constant(values, kind=np.int64):
        name = f"c{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def norm(x, name):
        parts = f"{name}.gain", f"{name}.shift"
        return node("LayerNormalization", x, *parts, axis=-1, epsilon=EPSILON)

    def linear(x, name):
        return node("Add", node("MatMul", x, f"{name}.weight"), f"{name}.bias")

    def cut(x, start, end, axis):
        return node("Slice", x, constant([start]), constant([end]), constant([axis]))

    def attention(x, layer):  # [batch, tokens, width]
        qkv = linear(x, f"{layer}.qkv")
        q, k, v = (cut(qkv, i * WIDTH, (i + 1) * WIDTH, 2) for i in range(3))
        if fused:
            return node("MultiHeadAttention", q, k, v, domain="com.microsoft", num_heads=HEADS)
        shape = constant([batch, -1, HEADS, WIDTH // HEADS])
        q, k, v = (node("Reshape", part, shape) for part in (q, k, v))
        q, v = (node("Transpose", part, perm=[0, 2, 1, 3]) for part in (q, v))
        k = node("Transpose", k, perm=[0, 2, 3, 1])
        scale = constant((WIDTH // HEADS) ** -0.5, np.float32)
        scores = node("Softmax", node("MatMul", node("Mul", q, scale), k), axis=-1)
        seen = node("Transpose", node("MatMul", scores, v), perm=[0, 2, 1, 3])
        return node("Reshape", seen, constant([batch, -1, WIDTH]))

    def repeated(name):
        return node("Expand", name, constant([batch, 1, 1]))

    patches = (RESOLUTION // PATCH) ** 2
    x = node("Conv", "images", "patch", strides=[PATCH, PATCH])
    x = node("Transpose", node("Reshape", x, constant([batch, WIDTH, patches])), perm=[0, 2, 1])
    x = node("Add", node("Concat", repeated("class"), x, axis=1), "positions")
    x = norm(node("Concat", x, repeated("prompt0"), axis=1), "pre")
    for layer in range(LAYERS):
        if 0 < layer < DEPTH:
            x = node("Concat", cut(x, 0, 1 + patches, 1), repeated(f"prompt{layer}"), axis=1)
        seen = attention(norm(x, f"{layer}.norm1"), layer)
        x = node("Add", x, linear(seen, f"{layer}.out"))
        hidden = linear(norm(x, f"{layer}.norm2"), f"{layer}.widen")
        gate = node("Sigmoid", node("Mul", hidden, constant(1.702, np.float32)))
        x = node("Add", x, linear(node("Mul", hidden, gate), f"{layer}.narrow"))
    first = node("Squeeze", cut(x, 0, 1, 1), constant([1]))
    nodes.append(helper.make_node("MatMul", [norm(first, "post"), "projection"], ["features"]))

    kind = TensorProto.FLOAT
    images = helper.make_tensor_value_info("images", kind, [batch, 3, RESOLUTION, RESOLUTION])
    features = helper.make_tensor_value_info("features", kind, [batch, EMBED])
    graph = helper.make_graph(nodes, "image tower", [images], [features], constants)
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=sets, ir_version=9)


def onnxruntime(weights, asked):
    import onnxruntime as engine

    if asked.precision != "f32":
        sys.exit("encode_peers.py: --precision: onnxruntime computes this graph in f32 on a CPU")
    settings = engine.SessionOptions()
    settings.intra_op_num_threads = asked.threads
    settings.inter_op_num_threads = 1
    model = onnx_graph(weights, asked.batch, fused=True).SerializeToString()
    session = engine.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    return engine.__version__, lambda images: session.run(None, {"images": images})[0]


def openvino(weights, asked):
    import io

    import openvino as engine

    model = onnx_graph(weights, asked.batch, fused=False).SerializeToString()
    core = engine.Core()
    settings = {
        "INFERENCE_NUM_THREADS": asked.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": asked.precision,
    }
    compiled = core.compile_model(core.read_model(io.BytesIO(model)), "CPU", settings)
    request = compiled.create_infer_request()
    return engine.__version__, lambda images: request.infer([images])[compiled.output(0)]


def torch_compile(weights, asked):
    import torch

    import torch_step

    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    precision = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[asked.precision]
    model = torch_step.Model("promptsrc", 1, 1, True, precision)
    prompts = [prompt.detach() for prompt in model.image_prompts]
    tower = torch.compile(lambda images: model.image(images, prompts))

    def run(images):
        with torch.inference_mode():
            return tower(torch.from_numpy(images).to(precision)).numpy()

    return torch.__version__, run


def numpy_features(weights, images):
    """The same function, as plain as can be."""
    w = weights.by_name

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
        return x * w[f"{name}.gain"] + w[f"{name}.shift"]

    def linear(x, name):
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    def heads(x):  # [batch, tokens, width] -> [batch, heads, tokens, head]
        return x.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)

    batch, side = len(images), RESOLUTION // PATCH
    x = images.reshape(batch, 3, side, PATCH, side, PATCH).transpose(0, 2, 4, 1, 3, 5)
    x = x.reshape(batch, side * side, -1) @ w["patch"].reshape(WIDTH, -1).T
    x = np.concatenate([np.repeat(w["class"], batch, 0), x], 1) + w["positions"]
    for layer in range(LAYERS):
        if layer < DEPTH:
            x = np.concatenate([x[:, : 1 + side * side], np.repeat(w[f"prompt{layer}"], batch, 0)], 1)
        if layer == 0:
            x = norm(x, "pre")
        q, k, v = map(heads, np.split(linear(norm(x, f"{layer}.norm1"), f"{layer}.qkv"), 3, -1))
        scores = q @ k.swapaxes(2, 3) * (WIDTH // HEADS) ** -0.5
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (scores / scores.sum(-1, keepdims=True)) @ v
        x = x + linear(seen.transpose(0, 2, 1, 3).reshape(x.shape), f"{layer}.out")
        hidden = linear(norm(x, f"{layer}.norm2"), f"{layer}.widen")
        x = x + linear(hidden / (1 + np.exp(-1.702 * hidden)), f"{layer}.narrow")
    return norm(x[:, 0], "post") @ w["projection"]


ENGINES = {"onnxruntime": onnxruntime, "openvino": openvino, "torch-compile": torch_compile}
NEEDED = {
    "onnxruntime": ["onnx", "onnxruntime"],
    "openvino": ["onnx", "openvino"],
    "torch-compile": ["torch"],
}


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--engine", choices=ENGINES, required=True, help="what computes")
    parser.add_argument("--precision", choices=["f32", "bf16", "f16"], default="f32")
    parser.add_argument("--batch", type=positive, default=20, help="images at a time")
    parser.add_argument("--threads", type=positive, default=2, help="threads of the arithmetic")
    parser.add_argument("--repetitions", type=positive, default=5, help="the median counts")
    parser.add_argument("--check", action="store_true", help="compare the features with NumPy's")
    parser.add_argument("--available", action="store_true", help="only say whether it is installed")
    asked = parser.parse_args()
    if asked.check and asked.engine == "torch-compile":
        parser.error("--check: torch_step.py has weights of its own")

    try:
        for module in NEEDED[asked.engine]:
            importlib.import_module(module)
    except ImportError as reason:
        sys.exit(f"encode_peers.py: {reason}; pip install {' '.join(NEEDED[asked.engine])}")
    if asked.available:
        return

    weights = Weights()
    version, run = ENGINES[asked.engine](weights, asked)
    images = np.random.default_rng(1).standard_normal((asked.batch, 3, RESOLUTION, RESOLUTION))
    images = images.astype(np.float32)
    features = run(images)
    if not np.isfinite(features).all():
        sys.exit(f"encode_peers.py: {asked.engine}: expected finite features")
    if asked.check:
        expected = numpy_features(weights, images)
        error = np.abs(features - expected).max() / np.abs(expected).max()
        limit = {"f32": 1e-4, "bf16": 0.1, "f16": 0.02}[asked.precision]
        print(f"largest error {error:.1e} of the largest feature (limit {limit:g})", file=sys.stderr)
        if not error < limit:
            sys.exit(f"encode_peers.py: {asked.engine}: not the same function")
    seconds = []
    for _ in range(asked.repetitions):
        start = time.perf_counter()
        run(images)
        seconds.append(time.perf_counter() - start)
    figures = {"version": version, **vars(asked)}
    figures["eval_seconds_per_picture"] = statistics.median(seconds) / asked.batch
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
