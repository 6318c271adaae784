"""The package as it is installed: light to import, nothing forgotten, no name twice."""

import subprocess
import sys
import tomllib
from pathlib import Path

import eventsnn

ROOT = Path(__file__).parents[1]


def test_importing_eventsnn_imports_nothing_heavy():
    heavy = {"cv2", "tonic", "numba", "h5py", "av", "tyro", "triton", "scipy", "matplotlib", "torch._dynamo", "sympy"}
    code = "import torch, sys; before = set(sys.modules); import eventsnn; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_all_packages_are_listed_for_the_wheel():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = [path.parent.relative_to(ROOT) for path in (ROOT / "eventsnn").rglob("__init__.py")]
    for top in ("pipelines", "datasets"):
        folders += ["eventsnn" / path.parent.relative_to(ROOT) for path in (ROOT / top).rglob("__init__.py")]
    rooms = [str(folder).replace("/", ".") for folder in folders]
    assert sorted(listed) == sorted(rooms)


def test_public_names_exist():
    assert [name for name in eventsnn.__all__ if not hasattr(eventsnn, name)] == []
    assert {"Events", "open", "read", "write", "to_frames", "windows"} <= set(eventsnn.__all__)
