"""Every block of the README runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import eventsnn
from eventsnn.datasets.shapes import Shape, record

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.M | re.S)
INSTALLS = ("pip install . && eventsnn demo", "pip install -e '.[test]' && pytest")


def test_the_two_commands_stand_in_the_readme():
    shell = [text.strip() for kind, text in BLOCKS if kind == "sh"]
    assert [command for command in INSTALLS if command not in shell] == []
    assert {kind for kind, _ in BLOCKS} <= {"sh", "python"}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the recording that the README speaks of, and a few digits."""
    events, _ = record([Shape("circle", 24.0, (30.0, 40.0), (200.0, 0.0))], (120, 80), "300ms")
    monkeypatch.chdir(tmp_path)
    eventsnn.write("recording.raw", events)
    digit = eventsnn.Events([0, 9_000, 300_000], [1, 2, 33], [4, 5, 6], [0, 1, 1], sensor=(34, 34))
    for part in ("Train", "Test"):
        (tmp_path / "data" / part / "3").mkdir(parents=True)
        eventsnn.write(f"data/{part}/3/00001.bin", digit)
    return tmp_path


@pytest.mark.parametrize("number", [k for k, (kind, _) in enumerate(BLOCKS) if kind == "python"])
def test_python_blocks(desk, number):
    exec(compile(BLOCKS[number][1], f"README block {number}", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize("number", [k for k, (kind, text) in enumerate(BLOCKS) if kind == "sh"])
def test_shell_blocks(desk, number):
    """Installing is what the tests run after; the other commands run here."""
    for line in BLOCKS[number][1].strip().splitlines():
        if line in INSTALLS:
            continue
        words = line.split("#")[0].split()
        assert words[0] == "eventsnn"
        subprocess.run([sys.executable, "-m", "eventsnn.cli", *words[1:]], check=True, capture_output=True)


def test_pictures_are_in_the_tree():
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file()
