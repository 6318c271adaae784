"""What the tests share: the folder of real recordings, which lies outside the project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("eventsnn", deadline=None)  # no test depends on the time it takes
settings.load_profile("eventsnn")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Real recordings, in $EVENTSNN_DATA or beside the project; tests that need them are skipped where they are not."""
    root = Path(os.environ.get("EVENTSNN_DATA") or Path(__file__).parents[2] / "shared" / "data")
    folder = root / "recordings"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}; set EVENTSNN_DATA to the folder that holds recordings/")
    return folder


@pytest.fixture(scope="session")
def interpreted():
    """Run a script in a process in which Triton interprets its kernels; it must not fail."""
    pytest.importorskip("triton")

    def run(script: str) -> None:
        environment = {**os.environ, "TRITON_INTERPRET": "1"}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    return run
