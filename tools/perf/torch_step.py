"""One training step of a prompt method in PyTorch, as fast as PyTorch allows: what ours is compared with.

    python3 tools/perf/torch_step.py --classes 100 --precision bf16 --text cut --threads 2
    python3 tools/perf/torch_step.py --method coop --classes 100 --text full --threads 2

ViT-B/16 with random weights; the prompts, losses, batch and optimiser of the method's published
configuration:

- `promptsrc`: four tokens in each of nine layers of both towers; cross-entropy and three losses that
  compare with the frozen model.
- `coop`: four tokens at the input of the text tower, the same for all images.
- `cocoop`: the same, shifted for each image by a network of its feature; all classes once per image.
- `maple`: two tokens in each of nine layers of the text tower, and those of the image tower as linear
  projections of them.

Prints one line of JSON: `step_seconds` and `eval_seconds_per_picture` (medians), `peak_rss_mib`,
the number of learned `parameters`, `first_loss`, and the options.

What makes the comparison fair:

- Attention is `scaled_dot_product_attention`. Weights are plain tensors in the precision asked for:
  none requires a gradient, so autograd only computes that of the prompts.
- Image features without prompts run under `no_grad`, once per step; the frozen text features are
  given, as both programs compute them once per run.
- `--text full` keeps all 77 positions of every class, as the Python reference does. `--text cut`
  drops what follows the end of the longest class prompt, as a careful user would.
- Prompts, the small learned layers, momentum and losses stay in f32, as in mixed precision.

Needs PyTorch (`pip install torch`); any build for the CPU will do.
"""

import argparse
import json
import math
import resource
import statistics
import sys
import time
from typing import NamedTuple

try:
    import torch
    import torch.nn.functional as F
except ImportError as reason:
    sys.exit(f"torch_step.py: PyTorch is missing ({reason}); pip install torch")

LAYERS, HEAD = 12, 64
IMAGE, TEXT, EMBED = 768, 512, 512
PATCH, RESOLUTION, POSITIONS = 16, 224, 77
# Tokens before a class name, "a photo of a"; the first of them are learned.
WORDS = 4
# Hidden units of CoCoOp's network.
HIDDEN = EMBED // 16
LOGIT_SCALE = 100.0
# Weights of the losses that compare with the frozen features: text, image.
TEXT_WEIGHT, IMAGE_WEIGHT = 25.0, 10.0
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4


class Method(NamedTuple):
    """The published configuration of a method."""

    batch: int
    context: int
    text_depth: int
    image_depth: int
    learning_rate: float


METHODS = {
    "promptsrc": Method(4, 4, 9, 9, 0.0025),
    "coop": Method(32, 4, 1, 0, 0.002),
    "cocoop": Method(1, 4, 1, 0, 0.002),
    "maple": Method(4, 2, 9, 9, 0.0035),
}


class Block:
    """A residual block of frozen weights: attention, then an MLP with QuickGELU."""

    def __init__(self, width, random):
        self.width = width
        self.norms = [(random(width, mean=1.0), random(width)) for _ in range(2)]
        self.qkv = random(3 * width, width), random(3 * width)
        self.out = random(width, width), random(width)
        self.widen = random(4 * width, width), random(4 * width)
        self.narrow = random(width, 4 * width), random(width)

    def __call__(self, x, causal):  # [batch, tokens, width]
        batch, tokens, width = x.shape
        qkv = F.linear(F.layer_norm(x, (width,), *self.norms[0]), *self.qkv)
        # [3, batch, heads, tokens, head]
        q, k, v = qkv.view(batch, tokens, 3, width // HEAD, HEAD).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        x = x + F.linear(seen.transpose(1, 2).reshape(batch, tokens, width), *self.out)
        h = F.linear(F.layer_norm(x, (width,), *self.norms[1]), *self.widen)
        return x + F.linear(h * torch.sigmoid(1.702 * h), *self.narrow)


def prompts(depth, context, width):
    """The prompt of each layer, learned."""
    return [(0.02 * torch.randn(context, width)).requires_grad_() for _ in range(depth)]


def linear(inputs, outputs):
    """Weight and bias of a learned layer."""
    bound = 1 / math.sqrt(inputs)

    def uniform(*shape):
        return ((2 * torch.rand(*shape) - 1) * bound).requires_grad_()

    return uniform(outputs, inputs), uniform(outputs)


class Model:
    """Two frozen towers, and what a method learns: `learned`."""

    def __init__(self, method, classes, name_tokens, cut, precision):
        def random(*shape, mean=0.0):
            return (mean + 0.02 * torch.randn(*shape)).to(precision)

        self.method, self.precision = method, precision
        patches = (RESOLUTION // PATCH) ** 2
        self.patch = random(IMAGE, 3, PATCH, PATCH)
        self.class_embedding = random(1, 1, IMAGE)
        self.image_positions = random(1 + patches, IMAGE)
        self.pre = random(IMAGE, mean=1.0), random(IMAGE)
        self.image_blocks = [Block(IMAGE, random) for _ in range(LAYERS)]
        self.image_end = (random(IMAGE, mean=1.0), random(IMAGE)), random(IMAGE, EMBED)

        # Start of text, the words, the name, a full stop; then the end of text, which is read.
        self.end = 1 + WORDS + name_tokens + 1
        length = self.end + 1 if cut else POSITIONS
        self.start = random(1, 1, TEXT)
        # What follows the context.
        self.names = random(classes, length - 1 - METHODS[method].context, TEXT)
        self.text_positions = random(length, TEXT)
        self.text_blocks = [Block(TEXT, random) for _ in range(LAYERS)]
        self.text_end = (random(TEXT, mean=1.0), random(TEXT)), random(TEXT, EMBED)

        self.loss = {
            "promptsrc": self.promptsrc_loss,
            "coop": self.coop_loss,
            "cocoop": self.cocoop_loss,
            "maple": self.maple_loss,
        }[method]
        _, context, text_depth, image_depth, _ = METHODS[method]
        self.text_prompts = prompts(text_depth, context, TEXT)
        self.image_prompts, self.layers = [], []
        if method == "promptsrc":
            self.frozen_text = F.normalize(torch.randn(classes, EMBED), dim=-1)
            self.image_prompts = prompts(image_depth, context, IMAGE)
        elif method == "cocoop":
            self.layers = [linear(EMBED, HIDDEN), linear(HIDDEN, TEXT)]
        elif method == "maple":
            self.layers = [linear(TEXT, IMAGE) for _ in range(image_depth)]
        layers = [tensor for layer in self.layers for tensor in layer]
        self.learned = self.text_prompts + self.image_prompts + layers

    def repeated(self, prompt, batch):
        """A layer's prompt for each item of a batch."""
        return prompt.to(self.precision).expand(batch, -1, -1)

    def image(self, images, prompts=()):
        """Features of images [batch, 3, 224, 224], f32; without prompts the frozen ones."""
        batch = images.shape[0]
        x = F.conv2d(images, self.patch, stride=PATCH).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(batch, -1, -1), x], 1) + self.image_positions
        if prompts:
            x = torch.cat([x, self.repeated(prompts[0], batch)], 1)
        x = F.layer_norm(x, (IMAGE,), *self.pre)
        for layer, block in enumerate(self.image_blocks):
            if 0 < layer < len(prompts):
                prompt = prompts[layer]
                x = torch.cat([x[:, : -len(prompt)], self.repeated(prompt, batch)], 1)
            x = block(x, causal=False)
        norm, projection = self.image_end
        return F.normalize((F.layer_norm(x[:, 0], (IMAGE,), *norm) @ projection).float(), dim=-1)

    def text(self, prompts):
        """Features of all classes, f32."""
        classes = self.names.shape[0]
        start = self.start.expand(classes, -1, -1)
        x = torch.cat([start, self.repeated(prompts[0], classes), self.names], 1)
        x = x + self.text_positions
        for layer, block in enumerate(self.text_blocks):
            if 0 < layer < len(prompts):
                prompt = self.repeated(prompts[layer], classes)
                x = torch.cat([x[:, :1], prompt, x[:, 1 + prompt.shape[1] :]], 1)
            x = block(x, causal=True)
        norm, projection = self.text_end
        x = F.layer_norm(x[:, self.end], (TEXT,), *norm) @ projection
        return F.normalize(x.float(), dim=-1)

    def visual(self):
        """Prompts of the image tower."""
        if self.method != "maple":
            return self.image_prompts
        return [F.linear(p, *layer) for p, layer in zip(self.text_prompts, self.layers)]

    def frozen_image(self, images):
        with torch.no_grad():
            return self.image(images)

    def promptsrc_loss(self, images, labels):
        """Cross-entropy, and the three losses that compare with the frozen model."""
        image, text = self.image(images, self.image_prompts), self.text(self.text_prompts)
        logits = LOGIT_SCALE * image @ text.T
        frozen_image = self.frozen_image(images)
        frozen_logits = LOGIT_SCALE * frozen_image @ self.frozen_text.T
        logit_loss = F.kl_div(
            F.log_softmax(logits, 1),
            F.log_softmax(frozen_logits, 1),
            reduction="sum",
            log_target=True,
        )
        return (
            F.cross_entropy(logits, labels)
            + TEXT_WEIGHT * F.l1_loss(text, self.frozen_text)
            + IMAGE_WEIGHT * F.l1_loss(image, frozen_image)
            + logit_loss / logits.numel()
        )

    def coop_loss(self, images, labels):
        """Cross-entropy with one context for all images."""
        logits = LOGIT_SCALE * self.frozen_image(images) @ self.text(self.text_prompts).T
        return F.cross_entropy(logits, labels)

    def cocoop_loss(self, images, labels):
        """Cross-entropy with a context for each image."""
        first, second = self.layers
        logits = []
        for feature in self.frozen_image(images):
            shift = F.linear(F.relu(F.linear(feature, *first)), *second)
            logits.append(LOGIT_SCALE * self.text([self.text_prompts[0] + shift]) @ feature)
        return F.cross_entropy(torch.stack(logits), labels)

    def maple_loss(self, images, labels):
        """Cross-entropy with visual prompts made from those of the text tower."""
        logits = LOGIT_SCALE * self.image(images, self.visual()) @ self.text(self.text_prompts).T
        return F.cross_entropy(logits, labels)


def median_seconds(work, repetitions):
    """Median wall time of some work, after one run to warm up."""
    work()
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


def options():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--method", choices=METHODS, default="promptsrc", help="prompt method")
    parser.add_argument("--classes", type=positive, default=100, help="classes")
    parser.add_argument("--name-tokens", type=positive, default=3, help="tokens of a class name")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of the towers")
    parser.add_argument(
        "--text", choices=["full", "cut"], default="full", help="all 77 positions, or those in use"
    )
    parser.add_argument("--threads", type=positive, default=2, help="threads of the arithmetic")
    parser.add_argument("--batch", type=positive, help="images per step; the method's own")
    parser.add_argument("--steps", type=positive, default=3, help="steps; the median counts")
    parser.add_argument("--eval", type=int, default=20, help="images to evaluate; 0 for none")
    asked = parser.parse_args()
    asked.batch = asked.batch or METHODS[asked.method].batch
    # Start of text, words, full stop, end of text.
    longest = POSITIONS - WORDS - 3
    if asked.name_tokens > longest:
        parser.error(f"--name-tokens: {POSITIONS} positions hold names of at most {longest} tokens")
    return asked


def main():
    asked = options()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    precision = {"f32": torch.float32, "bf16": torch.bfloat16}[asked.precision]
    cut = asked.text == "cut"
    model = Model(asked.method, asked.classes, asked.name_tokens, cut, precision)
    learning_rate = METHODS[asked.method].learning_rate
    momenta = [torch.zeros_like(tensor) for tensor in model.learned]

    images = torch.randn(asked.batch, 3, RESOLUTION, RESOLUTION).to(precision)
    labels = torch.arange(asked.batch) % asked.classes

    losses = []

    def step():
        for tensor in model.learned:
            tensor.grad = None
        loss = model.loss(images, labels)
        loss.backward()
        losses.append(loss.item())
        # SGD by hand: importing torch.optim would cost PyTorch memory that the step does not need.
        with torch.no_grad():
            for tensor, momentum in zip(model.learned, momenta):
                momentum.mul_(MOMENTUM).add_(tensor.grad + WEIGHT_DECAY * tensor)
                tensor.sub_(learning_rate * momentum)

    step_seconds = median_seconds(step, asked.steps)
    if not all(map(math.isfinite, losses)):
        sys.exit(f"torch_step.py: expected finite losses, found {losses}")
    # Read before evaluation, whose images would add to the step's peak.
    peak_rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if sys.platform == "darwin":  # counts in bytes there
        peak_rss_mib /= 1024

    eval_seconds = None
    if asked.eval > 0:
        many = torch.randn(asked.eval, 3, RESOLUTION, RESOLUTION).to(precision)
        with torch.no_grad():
            prompts = model.visual()
            evaluate = lambda: model.image(many, prompts)
            eval_seconds = median_seconds(evaluate, 3) / asked.eval

    print(
        json.dumps(
            {
                "torch": torch.__version__,
                **vars(asked),
                "parameters": sum(tensor.numel() for tensor in model.learned),
                "first_loss": losses[0],
                "step_seconds": step_seconds,
                "eval_seconds_per_picture": eval_seconds,
                "peak_rss_mib": round(peak_rss_mib, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
