"""Every block of a guide runs, in its order, in a folder that holds a recording, alone and in a folder of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import eventsnn
from eventsnn.datasets.shapes import Shape, record

GUIDES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_blocks(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    events, _ = record([Shape("circle", 24.0, (30.0, 40.0), (200.0, 0.0))], (120, 80), "300ms")
    Path("my-recordings").mkdir()
    for path in ("recording.raw", "my-recordings/recording.raw"):
        eventsnn.write(path, events)
    names = {"__name__": "guide"}
    for number, (kind, text) in enumerate(re.findall(r"^```(\w*)\n(.*?)^```", guide.read_text(), re.M | re.S)):
        if kind == "python":
            exec(compile(text, f"{guide.name} block {number}", "exec"), names)
        elif kind == "toml" and (name := re.match(r"# (\S+\.toml)\n", text)):
            Path(name[1]).write_text(text)
        elif kind == "sh":
            for line in text.strip().splitlines():
                command, _, note = line.partition("#")
                words = command.split()
                assert words[0] == "eventsnn"
                run = subprocess.run([sys.executable, "-m", "eventsnn.cli", *words[1:]], capture_output=True, text=True)
                assert run.returncode == int("exit code 1" in note), run.stderr
