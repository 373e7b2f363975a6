"""One PromptSRC training step in PyTorch, as fast as PyTorch allows: what ours is compared with.

    python3 tools/perf/torch_step.py --classes 100 --precision bf16 --text cut --threads 2

ViT-B/16 with random weights, four context tokens and nine layers of deep prompts in both towers, the
losses and the optimiser of the paper. Prints one line of JSON: `step_seconds` and
`eval_seconds_per_picture` (medians), `peak_rss_mib`, and the options.

What makes the comparison fair:

- Attention is `scaled_dot_product_attention`. Weights are plain tensors in the precision asked for:
  none requires a gradient, so autograd only computes that of the prompts.
- The frozen image features run under `no_grad`; the frozen text features are given, as both programs
  compute them once per run.
- `--text full` keeps all 77 positions of every class, as the Python reference does. `--text cut`
  drops what follows the end of the longest class prompt, as a careful user would.
- Prompts, momentum and losses stay in f32, as in mixed precision.

Needs PyTorch (`pip install torch`); any build for the CPU will do.
"""

import argparse
import json
import resource
import statistics
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError as reason:
    sys.exit(f"torch_step.py: PyTorch is missing ({reason}); pip install torch")

LAYERS, HEAD = 12, 64
IMAGE, TEXT, EMBED = 768, 512, 512
PATCH, RESOLUTION, POSITIONS = 16, 224, 77
CONTEXT, DEPTH = 4, 9
LOGIT_SCALE = 100.0
# Weights of the losses that compare with the frozen features: text, image.
TEXT_WEIGHT, IMAGE_WEIGHT = 25.0, 10.0
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.0025, 0.9, 5e-4


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


class Model:
    """Two frozen towers and their prompts."""

    def __init__(self, classes, name_tokens, cut, precision):
        def random(*shape, mean=0.0):
            return (mean + 0.02 * torch.randn(*shape)).to(precision)

        def prompts(width):
            return [(0.02 * torch.randn(CONTEXT, width)).requires_grad_() for _ in range(DEPTH)]

        self.precision = precision
        patches = (RESOLUTION // PATCH) ** 2
        self.patch = random(IMAGE, 3, PATCH, PATCH)
        self.class_embedding = random(1, 1, IMAGE)
        self.image_positions = random(1 + patches, IMAGE)
        self.pre = random(IMAGE, mean=1.0), random(IMAGE)
        self.image_blocks = [Block(IMAGE, random) for _ in range(LAYERS)]
        self.image_end = (random(IMAGE, mean=1.0), random(IMAGE)), random(IMAGE, EMBED)

        # Start of text, the context, the name, a full stop; then the end of text, which is read.
        self.end = 1 + CONTEXT + name_tokens + 1
        length = self.end + 1 if cut else POSITIONS
        self.start = random(1, 1, TEXT)
        self.names = random(classes, length - 1 - CONTEXT, TEXT)
        self.text_positions = random(length, TEXT)
        self.text_blocks = [Block(TEXT, random) for _ in range(LAYERS)]
        self.text_end = (random(TEXT, mean=1.0), random(TEXT)), random(TEXT, EMBED)

        self.frozen_text = F.normalize(torch.randn(classes, EMBED), dim=-1)
        self.image_prompts, self.text_prompts = prompts(IMAGE), prompts(TEXT)

    def prompt(self, prompts, layer, batch):
        """A layer's prompt, repeated for each item of a batch."""
        return prompts[layer].to(self.precision).expand(batch, -1, -1)

    def image(self, images, prompts=None):
        """Features of images [batch, 3, 224, 224], f32; without prompts the frozen ones."""
        batch = images.shape[0]
        x = F.conv2d(images, self.patch, stride=PATCH).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(batch, -1, -1), x], 1) + self.image_positions
        if prompts:
            x = torch.cat([x, self.prompt(prompts, 0, batch)], 1)
        x = F.layer_norm(x, (IMAGE,), *self.pre)
        for layer, block in enumerate(self.image_blocks):
            if prompts and 0 < layer < DEPTH:
                x = torch.cat([x[:, :-CONTEXT], self.prompt(prompts, layer, batch)], 1)
            x = block(x, causal=False)
        norm, projection = self.image_end
        return F.normalize((F.layer_norm(x[:, 0], (IMAGE,), *norm) @ projection).float(), dim=-1)

    def text(self, prompts):
        """Features of all classes, f32."""
        classes = self.names.shape[0]
        start = self.start.expand(classes, -1, -1)
        x = torch.cat([start, self.prompt(prompts, 0, classes), self.names], 1)
        x = x + self.text_positions
        for layer, block in enumerate(self.text_blocks):
            if 0 < layer < DEPTH:
                prompt = self.prompt(prompts, layer, classes)
                x = torch.cat([x[:, :1], prompt, x[:, 1 + CONTEXT :]], 1)
            x = block(x, causal=True)
        norm, projection = self.text_end
        x = F.layer_norm(x[:, self.end], (TEXT,), *norm) @ projection
        return F.normalize(x.float(), dim=-1)

    def loss(self, images, labels):
        """Cross-entropy, and the three losses that compare with the frozen model."""
        image, text = self.image(images, self.image_prompts), self.text(self.text_prompts)
        logits = LOGIT_SCALE * image @ text.T
        with torch.no_grad():
            frozen_image = self.image(images)
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
    parser.add_argument("--classes", type=positive, default=100, help="classes")
    parser.add_argument("--name-tokens", type=positive, default=3, help="tokens of a class name")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of the towers")
    parser.add_argument(
        "--text", choices=["full", "cut"], default="full", help="all 77 positions, or those in use"
    )
    parser.add_argument("--threads", type=positive, default=2, help="threads of the arithmetic")
    parser.add_argument("--batch", type=positive, default=4, help="images per step")
    parser.add_argument("--steps", type=positive, default=3, help="steps; the median counts")
    parser.add_argument("--eval", type=int, default=20, help="images to evaluate; 0 for none")
    asked = parser.parse_args()
    # Start of text, context, full stop, end of text.
    longest = POSITIONS - CONTEXT - 3
    if asked.name_tokens > longest:
        parser.error(f"--name-tokens: {POSITIONS} positions hold names of at most {longest} tokens")
    return asked


def main():
    asked = options()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    precision = {"f32": torch.float32, "bf16": torch.bfloat16}[asked.precision]
    model = Model(asked.classes, asked.name_tokens, asked.text == "cut", precision)
    prompts = model.image_prompts + model.text_prompts
    momenta = [torch.zeros_like(prompt) for prompt in prompts]

    images = torch.randn(asked.batch, 3, RESOLUTION, RESOLUTION).to(precision)
    labels = torch.arange(asked.batch) % asked.classes

    def step():
        for prompt in prompts:
            prompt.grad = None
        model.loss(images, labels).backward()
        # SGD by hand: importing torch.optim would cost PyTorch memory that the step does not need.
        with torch.no_grad():
            for prompt, momentum in zip(prompts, momenta):
                momentum.mul_(MOMENTUM).add_(prompt.grad + WEIGHT_DECAY * prompt)
                prompt.sub_(LEARNING_RATE * momentum)

    step_seconds = median_seconds(step, asked.steps)
    # Read before evaluation, whose images would add to the step's peak.
    peak_rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if sys.platform == "darwin":  # counts in bytes there
        peak_rss_mib /= 1024

    eval_seconds = None
    if asked.eval > 0:
        many = torch.randn(asked.eval, 3, RESOLUTION, RESOLUTION).to(precision)
        with torch.no_grad():
            evaluate = lambda: model.image(many, model.image_prompts)
            eval_seconds = median_seconds(evaluate, 3) / asked.eval

    print(
        json.dumps(
            {
                "torch": torch.__version__,
                **vars(asked),
                "step_seconds": step_seconds,
                "eval_seconds_per_picture": eval_seconds,
                "peak_rss_mib": round(peak_rss_mib, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
