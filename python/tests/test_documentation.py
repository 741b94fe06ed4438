"""What is documented: every public name, the same in the stub and at run time; and READMEs whose programs run."""

from __future__ import annotations

import ast
import inspect
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import ringmail
import ringmail.compat.faster_fifo
import ringmail.compat.memory
import ringmail.compat.py_sharedmemory
from ringmail import _native

HERE = pathlib.Path(__file__).parent.parent

MODULES = [
    ringmail,
    _native,
    ringmail.compat.faster_fifo,
    ringmail.compat.memory,
    ringmail.compat.py_sharedmemory,
]


def public() -> Iterator[tuple[str, Any]]:
    """Whatever a user may name, and the class or module that it was found in."""
    for module in MODULES:
        yield module.__name__, module
        for name in getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")]):
            found = getattr(module, name)
            if not inspect.isclass(found) and not inspect.isroutine(found):
                continue
            yield f"{module.__name__}.{name}", found
            if inspect.isclass(found) and found.__module__.startswith("ringmail"):
                for member in dir(found):
                    # What is inherited from outside is documented there.
                    inherited = getattr(BrokenPipeError, member, None)
                    if not member.startswith("_") and inherited is None:
                        yield f"{module.__name__}.{name}.{member}", inspect.getattr_static(found, member)


def test_every_public_name_is_documented() -> None:
    found = list(public())
    assert len(found) > 150 and not [name for name, each in found if not inspect.getdoc(each)]


def test_the_stub_says_what_the_module_says() -> None:
    stub = ast.parse((pathlib.Path(ringmail.__file__).parent / "_native.pyi").read_text())
    seen = 0
    for node in stub.body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or not hasattr(_native, node.name):
            continue
        inner = node.body if isinstance(node, ast.ClassDef) else []
        for each in (node, *(member for member in inner if isinstance(member, ast.FunctionDef))):
            if (text := ast.get_docstring(each)) is not None:
                path = node.name if each is node else f"{node.name}.{each.name}"
                found: Any = _native
                for part in path.split("."):
                    found = inspect.getattr_static(found, part)
                if isinstance(found, staticmethod):
                    found = found.__func__
                assert inspect.cleandoc(found.__doc__ or "") == text, path
                seen += 1
    assert seen > 80


def programs() -> Iterator[tuple[str, str]]:
    """The whole programs in the READMEs."""
    for path in (HERE / "README.md", HERE.parent / "README.md"):
        text = path.read_text() if path.exists() else ""
        for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)):
            if "__main__" in code:
                yield f"{path.parent.name}-{number}", code


def test_there_are_programs() -> None:
    assert len(list(programs())) >= 1


@pytest.mark.parametrize("code", [code for _, code in programs()], ids=[name for name, _ in programs()])
def test_what_a_readme_shows_runs(code: str, tmp_path: pathlib.Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0 and not done.stderr and done.stdout, done.stderr
