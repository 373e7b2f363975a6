"""Makes the tables of `compare.sh` from the lines of JSON that its runs have left.

    python3 tools/perf/table.py tools/perf/results

A folder holds files `steps-*.jsonl` and `encode-*.jsonl`, or `methods-*.jsonl`, one per program and
setting, with a line for each run.
Needs Python's standard library only.
"""

import json
import statistics
import sys
from pathlib import Path

PROGRAMS = {
    "ours": "promptsrc",
    "torch": "PyTorch",
    "torch-compile": "PyTorch, compiled",
    "onnxruntime": "onnxruntime",
    "openvino": "OpenVINO",
}


def fail(message):
    sys.exit(f"table.py: {message}")


def runs(folder, kind):
    """Runs of a kind as (program, figures)."""
    found = []
    for file in sorted(folder.glob(f"{kind}-*.jsonl")):
        name = file.stem.removeprefix(f"{kind}-")
        # The longest that fits: the name of one begins with another's.
        program = max((p for p in PROGRAMS if name.startswith(f"{p}-")), key=len, default=None)
        if program is None:
            fail(f"{file}: expected {kind}-PROGRAM- at the start of its name")
        for number, line in enumerate(file.read_text().splitlines(), 1):
            try:
                figures = json.loads(line)
            except json.JSONDecodeError as reason:
                fail(f"{file}:{number}: not JSON: {reason}")
            if not isinstance(figures, dict):
                fail(f"{file}:{number}: expected an object, found {line[:40]}")
            # Whether it is what "auto" takes, which its precision alone does not tell.
            figures["auto"] = file.stem == f"{kind}-ours-auto"
            found.append((program, figures))
    return found


def auto_of(found):
    """The precision that "auto" took; None if it was not measured."""
    return next((figures.get("precision") for _, figures in found if figures["auto"]), None)


def key(program, figures):
    """What identifies a program in all rounds: program, precision, text."""
    # Ours always computes only the positions that are read.
    text = "exact" if program == "ours" else figures.get("text", "")
    return program, figures.get("precision", "?"), text


def medians(found, groups, figure):
    """Median of a figure for each group; runs that lack it are passed over."""
    values = {}
    for program, figures in found:
        if isinstance(figures.get(figure), (int, float)):
            values.setdefault(groups(program, figures), []).append(figures[figure])
    return {group: statistics.median(of) for group, of in values.items()}


def rank(program_key):
    """Ours first, bf16 before f32; each other program from the slowest to the best."""
    program, precision, text = program_key
    place = list(PROGRAMS).index(program)
    if program == "ours":
        return place, precision != "bf16", text
    return place, precision != "f32", text != "full"


def number(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


def ratio(seconds, ours):
    return "" if not ours else f"{seconds / ours:.2f}"


def step_table(found):
    def by(program, figures):
        return figures.get("classes"), *key(program, figures)

    seconds = medians(found, by, "step_seconds")
    memory = medians(found, by, "peak_rss_mib")
    fraction = medians(found, by, "fraction_of_ceiling")
    lines = [
        "| classes | program | precision | text | median s/step | to our auto | to our f32 | peak MiB | of GEMM ceiling |",
        "|--:|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for group in sorted(seconds, key=lambda g: (g[0], rank(g[1:]))):
        classes, program, precision, text = group
        ours = [seconds.get((classes, "ours", of, "exact")) for of in (auto_of(found), "f32")]
        cells = [
            str(classes),
            PROGRAMS[program],
            precision,
            text,
            number(seconds[group], 3),
            *(ratio(seconds[group], of) for of in ours),
            number(memory.get(group), 0),
            number(fraction.get(group), 2),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def evaluation_table(steps, encodes):
    seconds = medians(encodes, key, "seconds_per_picture")
    memory = medians(encodes, key, "peak_rss_mib")

    # Images alone: whether texts were cut makes no difference.
    def without_text(program, figures):
        return program, figures.get("precision", "?"), ""

    torch = [(program, figures) for program, figures in steps if program == "torch"]
    seconds |= medians(torch, without_text, "eval_seconds_per_picture")

    # Of the batches that an engine was given, the one that it likes best.
    def by_batch(program, figures):
        return *without_text(program, figures), figures.get("batch")

    engines = [(program, figures) for program, figures in encodes if program != "ours"]
    for (*group, _), value in medians(engines, by_batch, "eval_seconds_per_picture").items():
        group = tuple(group)
        seconds[group] = min(value, seconds.get(group, value))
    lines = [
        "| program | precision | evaluation, s/image | to our auto | to our f32 | peak MiB |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for group in sorted(seconds, key=rank):
        program, precision, _ = group
        ours = [seconds.get(("ours", of, "exact")) for of in (auto_of(encodes), "f32")]
        cells = [
            PROGRAMS[program],
            precision,
            number(seconds[group], 4),
            *(ratio(seconds[group], of) for of in ours),
            number(memory.get(group), 0),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def check_parameters(found):
    """Both programs must learn the same number of values, or they do not do the same."""
    counts = {}
    for program, figures in found:
        of = figures.get("method"), figures.get("class_specific", False)
        counts.setdefault(of, {})[figures.get("parameters")] = program
    for (method, _), programs in counts.items():
        if len(programs) > 1:
            fail(f"{method}: expected one number of parameters, found {programs}")


def method_table(found):
    check_parameters(found)

    def by(program, figures):
        of = figures.get("method"), figures.get("batch"), figures.get("classes")
        return *of, *key(program, figures)

    seconds = medians(found, by, "step_seconds")
    memory = medians(found, by, "peak_rss_mib")
    work = medians(found, by, "needed_gflop")
    lines = [
        "| method | images | classes | program | precision | text | median s/step | to our auto | to our f32 | peak MiB | needed GFLOP |",
        "|---|--:|--:|---|---|---|--:|--:|--:|--:|--:|",
    ]
    # Methods in the order in which they were measured.
    order = list(dict.fromkeys(figures.get("method") for _, figures in found))
    for group in sorted(seconds, key=lambda g: (order.index(g[0]), g[2], rank(g[3:]))):
        case, (program, precision, text) = group[:3], group[3:]
        ours = [seconds.get((*case, "ours", of, "exact")) for of in (auto_of(found), "f32")]
        cells = [
            *map(str, case),
            PROGRAMS[program],
            precision,
            text,
            number(seconds[group], 2),
            *(ratio(seconds[group], of) for of in ours),
            number(memory.get(group), 0),
            number(work.get(group), 0),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main():
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        fail("expected one folder of results: table.py FOLDER")
    folder = Path(sys.argv[1])
    steps, encodes, methods = (runs(folder, kind) for kind in ("steps", "encode", "methods"))
    if not steps and not encodes and not methods:
        fail(
            f"{folder}: no steps-*.jsonl, encode-*.jsonl or methods-*.jsonl in it; run compare.sh first"
        )
    tables = []
    if steps or encodes:
        tables += [step_table(steps), evaluation_table(steps, encodes)]
    if methods:
        tables.append(method_table(methods))
    print("\n\n".join("\n".join(table) for table in tables))


if __name__ == "__main__":
    main()
