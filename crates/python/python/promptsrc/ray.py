"""Benchmarks on a Ray cluster: each run of the plan is a task, the longest first, and is made again on another
node when its worker is lost.

    python -m promptsrc.ray bench base-to-novel --root DATA --out /shared/runs --clip ViT-B/16

    import promptsrc.ray
    tables = promptsrc.ray.bench("base-to-novel", root="DATA", out="/shared/runs", clip="ViT-B/16")

All nodes see the data and the folder of the runs under the same paths. A run that is interrupted goes on from
its last saved state.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Optional

import ray

from . import _promptsrc
from ._api import PathLike, Table, _arguments, table
from ._errors import InputError, PromptsrcError

__all__ = ["bench"]

#: How often a run is begun again when its worker is lost.
RETRIES = 5
#: Options whose values are paths, which must not depend on a worker's folder.
_PATHS = ("root", "out", "templates", "feature_cache")


def bench(
    protocol: str,
    *,
    root: PathLike,
    out: PathLike,
    clip: Optional[PathLike] = None,
    cpus: int = 4,
    gpus: float = 0.0,
    retries: int = RETRIES,
    quiet: bool = False,
    **options: Any,
) -> list[Table]:
    """Run a protocol on the Ray cluster, and return its tables.

    cpus, gpus: what a run gets. options: those of :func:`promptsrc.bench`. Ray is started if it is not.
    """
    options = {**options, "root": root, "out": out}
    for name in _PATHS:
        if options.get(name) is not None and not (name == "root" and _is_world(options[name])):
            options[name] = os.path.abspath(options[name])
    if clip is not None:
        options["clip"] = os.path.abspath(clip) if os.path.exists(clip) else os.fspath(clip)
    return _run(["bench", protocol, *_arguments(options)], options["out"], cpus, gpus, retries, quiet)


def _is_world(root: PathLike) -> bool:
    return os.fspath(root) == "world" and not os.path.exists(root)


def _one(arguments: list[str], part: int, parts: int) -> list[str]:
    """One run, in the process of a worker; the warnings."""
    _, warnings = _promptsrc.answer([*arguments, f"--only={part}/{parts}"])
    return warnings


def _run(
    arguments: list[str], out: str, cpus: int, gpus: float, retries: int, quiet: bool
) -> list[Table]:
    if any(word == "--only" or word.startswith("--only=") for word in arguments):
        raise InputError("--only: Ray gives each run to a task of its own")
    listing, _ = _promptsrc.answer([*arguments, "--plan"])
    # The most costly first: the N-th of N parts is the N-th of them.
    runs = sorted(json.loads(listing)["runs"], key=lambda run: -run["cost"])
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    environment = {"env_vars": {"RAYON_NUM_THREADS": str(cpus)}}
    task = ray.remote(_one).options(
        num_cpus=cpus, num_gpus=gpus, max_retries=retries, runtime_env=environment
    )
    began = time.monotonic()
    waiting = {task.remote(arguments, part + 1, len(runs)): run for part, run in enumerate(runs)}
    done, failed = 0, []
    while waiting:
        ready, _ = ray.wait(list(waiting), num_returns=1)
        for reference in ready:
            run = waiting.pop(reference)
            name = f"{run['data_set']} {run['method']} shots {run['shots']} seed {run['seed']}"
            try:
                for warning in ray.get(reference):
                    _say(f"warning: {name}: {warning}", quiet)
                done += 1
                passed = time.monotonic() - began
                _say(f"{done}/{len(runs)} runs, {passed:.0f} s: {name}", quiet)
            except ray.exceptions.RayError as error:
                failed.append(f"{name}: {_cause(error)}")
                _say(f"error: {failed[-1]}", quiet=False)
    if failed:
        raise PromptsrcError(f"{len(failed)} of {len(runs)} runs failed: {failed[0]}")
    return table(out)


def _cause(error: Exception) -> str:
    cause = getattr(error, "cause", None)
    return str(cause if isinstance(cause, PromptsrcError) else error)


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """``python -m promptsrc.ray bench ...``: options of Ray, and those of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m promptsrc.ray",
        description="Run promptsrc bench on a Ray cluster; all other options are the command's.",
        allow_abbrev=False,
    )
    parser.add_argument("command", choices=["bench"])
    parser.add_argument("protocol", help="base-to-novel, few-shot, cross-dataset, domain-generalization")
    parser.add_argument("--root", required=True, help="folder of the data sets, or world")
    parser.add_argument("--out", required=True, help="folder of the runs, which all nodes share")
    parser.add_argument("--clip", help="CLIP, as for promptsrc train")
    parser.add_argument("--address", help="address of the cluster, or auto [default: a local one]")
    parser.add_argument("--cpus", type=int, default=4, help="cores of a run [default: 4]")
    parser.add_argument("--gpus", type=float, default=0.0, help="GPUs of a run [default: 0]")
    parser.add_argument("--retries", type=int, default=RETRIES, help="[default: %(default)s]")
    parser.add_argument("--format", default="terminal", help="format of the tables, as for bench table")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    given, rest = parser.parse_known_args(arguments)
    root = given.root if _is_world(given.root) else os.path.abspath(given.root)
    out = os.path.abspath(given.out)
    words = ["bench", given.protocol, f"--root={root}", f"--out={out}", *rest]
    if given.clip is not None:
        clip = os.path.abspath(given.clip) if os.path.exists(given.clip) else given.clip
        words.append(f"--clip={clip}")
    ray.init(address=given.address, log_to_driver=False)
    try:
        _run(words, out, given.cpus, given.gpus, given.retries, given.quiet)
    except PromptsrcError as error:
        sys.exit(f"error: {error}")
    sys.exit(_promptsrc.main(["promptsrc", "bench", "table", out, "--format", given.format]))


if __name__ == "__main__":
    main()
