"""The examples do what they say."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    "command", [["actor_learner.py", "40", "2"], ["share_array.py", "50", "2"]], ids=lambda command: command[0]
)
@pytest.mark.timeout(180)
def test_examples(command: list[str]) -> None:
    subprocess.run([sys.executable, str(EXAMPLES / command[0]), *command[1:]], check=True, timeout=170)
