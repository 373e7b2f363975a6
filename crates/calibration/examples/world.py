"""Calibration on the built-in world, as tables: `python3 crates/calibration/examples/world.py PROMPTSRC FOLDER SEEDS`.

`SEEDS`, such as 1,2,3: those of the few-shot images and of the training, over which figures are averaged.

For each set: zero-shot CLIP, and IVLP and PromptSRC trained on 16 images of each base class (f32), calibrated on the
validation images of the base classes, measured on the test images of base and novel classes. On novel classes the
temperature is the one of the base classes.
"""

import json
import os
import subprocess
import sys

SETS = ["objects", "surfaces", "finegrained", "scenes"]
METHODS = {"zero-shot": "zero-shot CLIP", "ivlp": "IVLP", "promptsrc": "PromptSRC"}
PROGRAM, FOLDER = sys.argv[1], sys.argv[2]
SEEDS = [int(seed) for seed in sys.argv[3].split(",")]


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments, "--precision", "f32", "--json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{arguments}\n{done.stderr}")
    return json.loads(done.stdout)


def measured(name, method, seed):
    """Figures on base, on novel, and of novel classes as unknown ones."""
    data = ["--data", f"world:{name}"]
    place = os.path.join(FOLDER, f"{name}-{method}-{seed}")
    if method == "zero-shot":
        file = place + ".json"
        what = ["--zero-shot", "--clip", "mini"]
        made = ["--out", file, "--classes", "base"]
        used = ["--calibration", file]
    else:
        what, made, used = [place], [], []
        if not os.path.exists(os.path.join(place, "metrics.json")):
            run("train", "--clip", "mini", *data, "--classes", "base", "--method", method, "--shots", "16",
                "--seed", str(seed), "--out", place)
    run("calibrate", *what, *data, *made, "--force")
    evaluate = ["eval", *what, *data, *used]
    logits = ["--logits", place + "-logits.csv", "--force"]
    return (
        run(*evaluate, "--classes", "base", "--unknown-classes", "novel", *logits),
        run(*evaluate, "--classes", "novel", "--temperature-only"),
    )


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def percent(values):
    return f"{100 * mean(values):.1f}"


def main():
    os.makedirs(FOLDER, exist_ok=True)
    found = {}
    for name in SETS:
        for method in METHODS:
            # Zero-shot CLIP has no seed.
            seeds = SEEDS[:1] if method == "zero-shot" else SEEDS
            found[name, method] = [measured(name, method, seed) for seed in seeds]

    def of(name, method):
        names = SETS if name == "average" else [name]
        return [one for name in names for one in found[name, method]]

    print("| set | | base: T | NLL | calibration error | novel: NLL | calibration error |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name in [*SETS, "average"]:
        for method, title in METHODS.items():
            runs = of(name, method)
            cells = []
            for part in (0, 1):
                key = "negative_log_likelihood"
                before, after = (mean(r[part][key] for r in runs), mean(r[part]["calibrated"][key] for r in runs))
                cells.append(f"{before:.3f} → {after:.3f}")
                key = "calibration_error"
                before, after = percent(r[part][key] for r in runs), percent(r[part]["calibrated"][key] for r in runs)
                cells.append(f"{before} → {after}")
            cells.insert(0, f"{mean(r[0]['calibrated']['temperature'] for r in runs):.2f}")
            print(f"| {name if method == 'zero-shot' else ''} | {title} | {' | '.join(cells)} |")

    print("\n| | LAC | size | APS | size | RAPS | size |\n|---|--:|--:|--:|--:|--:|--:|")
    for method, title in METHODS.items():
        runs = of("average", method)
        cells = []
        for place in range(3):
            cells.append(percent(r[0]["calibrated"]["sets"][place]["coverage"] for r in runs))
            cells.append(f"{mean(r[0]['calibrated']['sets'][place]['mean_size'] for r in runs):.2f}")
        print(f"| {title} | {' | '.join(cells)} |")

    print("\n| set | | MCM: AUROC | FPR | MCM, unscaled: AUROC | FPR | max logit: AUROC | FPR | energy: AUROC | FPR |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in [*SETS, "average"]:
        for method, title in METHODS.items():
            runs = of(name, method)
            cells = []
            for place in range(4):
                for key in ("auroc", "fpr_at_95"):
                    cells.append(percent(r[0]["unknown"]["scores"][place][key] for r in runs))
            print(f"| {name if method == 'zero-shot' else ''} | {title} | {' | '.join(cells)} |")


main()
