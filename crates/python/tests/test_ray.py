"""A sweep on a Ray cluster of two nodes on this machine, one of which is killed in its course, against the same
sweep in one process. Only with ``PROMPTSRC_TEST_RAY=1``: it takes minutes."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

pytestmark = pytest.mark.skipif(
    os.environ.get("PROMPTSRC_TEST_RAY") != "1", reason="PROMPTSRC_TEST_RAY=1 runs it"
)

SWEEP = [
    "--root=world",
    "--datasets=surfaces,finegrained",
    "--methods=zero-shot,promptsrc",
    "--seeds=1,2",
    "--shots=2",
    "--epochs=8",
]


def test_a_lost_node_does_not_change_a_byte(command, tmp_path: pathlib.Path) -> None:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    import promptsrc.ray

    whole, out = tmp_path / "whole", tmp_path / "cluster"
    command("bench", "base-to-novel", *SWEEP, f"--out={whole}", "--quiet")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    killed = []

    def kill() -> None:
        while not list(out.rglob("state.safetensors")):
            time.sleep(0.05)
        time.sleep(1)
        cluster.remove_node(node, allow_graceful=False)
        killed.append(time.monotonic())
        # Another node joins, as a scheduler would give one.
        cluster.add_node(num_cpus=1)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        tables = promptsrc.ray.bench(
            "base-to-novel",
            root="world",
            out=out,
            cpus=1,
            datasets=["surfaces", "finegrained"],
            methods=["zero-shot", "promptsrc"],
            seeds=[1, 2],
            shots=[2],
            epochs=8,
        )
    finally:
        killer.join()
        ray.shutdown()
        cluster.shutdown()
    assert killed and len(tables) == 1
    expected = command("bench", "table", whole, "--format", "json")
    assert command("bench", "table", out, "--format", "json") == expected
    assert tables[0] == json.loads(expected)
    print("a node was killed; the tables are equal")


def test_the_module_is_a_command(command, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("ray")
    out = tmp_path / "runs"
    words = ["--root=world", "--datasets=surfaces", "--methods=zero-shot", "--seeds=1"]
    done = subprocess.run(
        [sys.executable, "-m", "promptsrc.ray", "bench", "base-to-novel", *words, f"--out={out}", "--cpus=1"]
        + ["--format=json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"] is True
    assert "1/1 runs" in done.stderr
