"""What the tests of the installed package share. They run outside of the repository's Python sources."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

import promptsrc

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
IMAGES = REPOSITORY / "examples" / "images"


@pytest.fixture(scope="session")
def clip() -> promptsrc.Clip:
    return promptsrc.Clip.open("mini", precision="f32")


@pytest.fixture(scope="session")
def files() -> list[str]:
    return sorted(str(path) for path in IMAGES.rglob("*.jpg"))


@pytest.fixture(scope="session")
def labels(files: list[str]) -> list[str]:
    return [pathlib.Path(path).parent.name.replace("_", " ") for path in files]


@pytest.fixture(scope="session")
def command():
    """Runs the command that the package installs."""

    def run(*arguments: object, code: int = 0) -> str:
        script = pathlib.Path(sys.executable).with_name("promptsrc")
        done = subprocess.run(
            [str(script), *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def answer(command):
    return lambda *arguments: json.loads(command(*arguments, "--json"))
