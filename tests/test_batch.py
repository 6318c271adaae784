"""eventsnn batch: what it writes, what it skips, what it survives, what it refuses."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import eventsnn
from eventsnn.cli import main
from eventsnn.pipelines.batch import batch
from eventsnn.pipelines.chain import Pipeline, read_chain
from eventsnn.pipelines.many import crew, inputs, manifest
from eventsnn.pipelines.many.pool import pooled
from eventsnn.pipelines.many.watch import Watch
from eventsnn.pipelines.many.work import Plan
from eventsnn.train import Recipe, Run, save

DRILL = """
    import os, signal, time
    from pathlib import Path

    def first(gate):
        try:
            os.close(os.open(gate, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def die(events, gate):  # the first to come ends its process
        if first(gate):
            os.kill(os.getpid(), signal.SIGKILL)
        return events

    def always_die(events):
        os.kill(os.getpid(), signal.SIGKILL)

    chunks = 0

    def stop(events, gate):  # the first to come goes no further in the middle of its second chunk
        global chunks
        chunks += 1
        if chunks == 2 and first(gate):
            while True:
                signal.pause()
        return events

    def wait(events, gate, go):  # the first to come waits for a file
        if first(gate):
            while not Path(go).exists():
                time.sleep(0.01)
        return events

    def hang(events, gate):
        if first(gate):
            while True:
                signal.pause()
        return events

    def fail(events, gate):
        if first(gate):
            raise ValueError("not this time")
        return events
"""


def noise(seed, n=2_000, sensor=(40, 30)):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 100_000, n))
    return eventsnn.Events(
        t, rng.integers(0, sensor[0], n), rng.integers(0, sensor[1], n), rng.integers(0, 2, n), sensor=sensor
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Five recordings, one of them in a folder below, and the functions of the drills."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for k in range(5):
        eventsnn.write(tmp_path / "in" / ("deep/r4.raw" if k == 4 else f"r{k}.raw"), noise(k))
    (tmp_path / "drill.py").write_text(textwrap.dedent(DRILL))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


NAMES = ["deep/r4", "r0", "r1", "r2", "r3"]


def chain_file(name="chain.toml", stage='"open"'):
    Path(name).write_text(f'chain = ["open", {stage}, "denoise", "to_hdf5"]' if stage != '"open"' else PLAIN)
    return name


PLAIN = 'chain = ["open", "denoise", "to_hdf5"]'
DENOISE = Pipeline().open().denoise().to_hdf5()


def results(out):
    return {
        path.relative_to(out).with_suffix("").as_posix(): eventsnn.read(path)
        for path in Path(out).rglob("*.h5")
        if ".part" not in str(path)
    }


def done(out):
    return {entry["name"] for entry in manifest.entries(Path(out)) if entry["status"] == "done"}


def check(out, names=NAMES, entered=None):
    """Every recording has one complete result, that of an undisturbed run, and an entry; nothing else lies about."""
    found = results(out)
    assert sorted(found) == sorted(names)
    for name in names:
        source = next(iter(Path("in").glob(f"{name}.*")))
        assert found[name] == Pipeline().denoise()(eventsnn.read(source)), name
    assert list(Path(out).rglob("*.part")) == []
    assert done(out) >= set(names if entered is None else entered)


def until(condition, process):
    """Wait for something that a running process brings about."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def start(*words, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "eventsnn.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def test_folder_to_results_tables_and_report(folder, capsys):
    (folder / "in" / "notes.txt").write_text("about the recordings")
    assert main(["batch", chain_file(), "in", "-o", "out", "--workers", "2"]) == 0
    check("out")
    said = capsys.readouterr().out
    assert "5 recordings: 5 done, 0 done before and unchanged, 0 failed" in said
    assert "1 text or NumPy files, recordings or not, are left out (.txt); match those: 'in/**/*.txt'" in said
    rows = list(csv.DictReader(Path("out/summary.csv").read_text().splitlines()))
    assert [row["recording"] for row in rows] == NAMES
    assert [int(row["events"]) for row in rows] == [2_000] * 5
    assert json.loads(Path("out/summary.json").read_text())[0]["results"] == "deep/r4.h5"
    assert "done in" in Path("out/logs/deep/r4.log").read_text()
    page = Path("out/report.html").read_text()
    assert page.count("<tr class") == 5
    assert "http" not in re.sub(r"data:image/png;base64,[^\"]*", "", page)


def test_what_is_done_and_unchanged_is_skipped_and_the_rest_is_done_again(folder, capsys):
    assert main(["batch", chain_file(), "in", "-o", "out"]) == 0
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.h5")}
    os.utime("in/r0.raw")  # another time, the same content
    eventsnn.write("in/r1.raw", noise(11))
    Path("out/r2.h5").unlink()
    with open("out/r3.h5", "ab") as file:
        file.write(b"more")
    capsys.readouterr()
    assert main(["batch", chain_file(), "in", "-o", "out"]) == 0
    said = capsys.readouterr()
    assert "3 done, 2 done before and unchanged" in said.out
    told = said.out + said.err
    assert "r1.raw: done again: the recording changed" in told
    assert "r2.raw: done again: r2.h5 is missing" in told
    assert "r3.raw: done again: r3.h5 was changed" in told
    assert {path.stem for path, when in before.items() if path.stat().st_mtime_ns != when} == {"r1", "r2", "r3"}
    check("out")
    Path("chain.toml").write_text('chain = ["open", {denoise = {tau = "1ms"}}, "to_hdf5"]')
    assert main(["batch", "chain.toml", "in", "-o", "out"]) == 0
    said = capsys.readouterr()
    assert (said.out + said.err).count("done again: the chain changed") == 5


def test_an_entry_of_another_version_does_not_hold(folder):
    batch(DENOISE, ["in/r0.raw"], Path("out"))
    entry = manifest.read(Path("out"), "r0")
    entry["versions"]["eventsnn"] = "0.0.1"
    manifest.write(Path("out"), entry)
    [outcome] = batch(DENOISE, ["in/r0.raw"], Path("out")).outcomes
    assert (outcome.status, outcome.reason) == ("done", "it was made with eventsnn 0.0.1")


def test_a_corrupt_recording_among_good_ones(folder, capsys):
    whole = Path("in/r2.raw").read_bytes()
    Path("in/r2.raw").write_bytes(whole[:40])
    Path("in/bad.aedat4").write_bytes(b"#!AER-DAT4.0\r\n" + bytes(50))
    Path("in/empty.raw").touch()
    Path("in/gone.raw").symlink_to("nowhere.raw")
    assert main(["batch", chain_file(), "in", "-o", "out", "--workers", "2"]) == 1
    check("out", [name for name in NAMES if name != "r2"])
    said = capsys.readouterr()
    assert "4 done, 0 done before and unchanged, 3 failed" in said.out
    for name, reason in (("bad", "AEDAT4"), ("empty", "the file is empty"), ("r2", "does not name its sensor")):
        entry = manifest.read(Path("out"), name)
        assert entry["status"] == "failed"
        assert reason in entry["reason"]
        assert reason in (said.out + said.err)
        assert "Traceback" in Path(f"out/logs/{name}.log").read_text()
    assert Path("out/report.html").read_text().count('<tr class="failed"') == 3
    Path("in/r2.raw").write_bytes(whole)
    assert main(["batch", chain_file(), "in/r*.raw", "-o", "out"]) == 0
    assert "1 done, 3 done before and unchanged, 0 failed" in capsys.readouterr().out


def test_a_worker_killed(folder, capsys):
    stage = '{call = {function = "drill:die", gate = "gate"}}'
    assert main(["batch", chain_file(stage=stage), "in", "-o", "out", "--workers", "2"]) == 0
    assert Path("gate").exists()
    check("out")
    assert "5 done" in capsys.readouterr().out


def test_a_recording_that_kills_its_workers_is_reported(folder):
    chain = Pipeline().open().call(function="drill:always_die").to_hdf5()
    found = batch(chain, ["in/r0.raw", "in/r1.raw"], Path("out"), workers=2)
    assert found.exit_code == 1
    assert {outcome.reason for outcome in found.failed} == {"its worker was ended by SIGKILL (out of memory?)"}
    assert manifest.read(Path("out"), "r0")["reason"] == "its worker was ended by SIGKILL (out of memory?)"
    assert results("out") == {}


def test_a_recording_that_hangs_is_ended(folder):
    chain = Pipeline().open().call(function="drill:hang", gate="gate").denoise().to_hdf5()
    found = batch(chain, ["in"], Path("out"), workers=2, timeout=5)
    [hung] = found.failed
    assert hung.reason == "it took longer than the timeout of 5 s"
    assert batch(chain, ["in"], Path("out"), workers=2, timeout=60).exit_code == 0
    check("out")


def test_what_fails_is_tried_again_as_often_as_wanted(folder):
    chain = Pipeline().open().call(function="drill:fail", gate="gate").denoise().to_hdf5()
    [outcome] = batch(chain, ["in/r0.raw"], Path("out")).failed
    assert outcome.reason == "not this time"
    Path("gate").unlink()
    assert batch(chain, ["in"], Path("out"), retry=1).exit_code == 0
    check("out")


def test_the_whole_run_killed_and_started_again(folder):
    eventsnn.write("in/r2.raw", noise(2, 200_000))
    chain = chain_file(stage='{call = {function = "drill:stop", gate = "gate"}}')
    run = start("batch", chain, "in", "-o", "out", "--workers", "2", start_new_session=True)
    until(Path("gate").exists, run)
    until(lambda: len(manifest.entries(Path("out"))) == 4, run)
    assert list(Path("out").rglob("*.part")) != []
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    found = batch(read_chain(chain), ["in"], Path("out"), workers=2)
    assert sorted(outcome.status for outcome in found.outcomes) == ["done"] + 4 * ["skipped"]
    check("out")


def test_the_program_killed_takes_its_processes_along(folder):
    chain = chain_file(stage='{call = {function = "drill:hang", gate = "gate"}}')
    run = start("batch", chain, "in", "-o", "out", "--workers", "1")
    until(Path("gate").exists, run)
    run.kill()  # it alone; the process that hangs has a lock on its recording
    run.communicate()
    assert batch(read_chain(chain), ["in"], Path("out"), workers=1).exit_code == 0
    check("out")


def test_disk_full(folder):
    eventsnn.write("in/r2.raw", noise(2, 200_000))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        "from eventsnn.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["batch", chain_file(stage="{to_raw = {suffix = '-as-it-was'}}"), "in", "-o", "out", "--workers", "2"]
    run = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert run.returncode == 1, run.stderr
    check("out", [name for name in NAMES if name != "r2"])
    assert "4 done, 0 done before and unchanged, 1 failed" in run.stdout
    assert re.search("r2.raw: failed: .*File too large", run.stdout + run.stderr)
    assert batch(read_chain("chain.toml"), ["in"], Path("out")).exit_code == 0
    check("out")


@pytest.mark.parametrize("size", ["300k", "60k"])
def test_a_file_system_full(folder, size):
    """In a file system of its own that is too small for one recording; or for most, and the report."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    eventsnn.write("in/r2.raw", noise(2, 200_000))
    Path("out").mkdir()
    batch_there = f"{sys.executable} -m eventsnn.cli batch {chain_file()} in -o out --workers 2; code=$?"
    script = f"mount -t tmpfs -o size={size} tmpfs out; {batch_there}; cp -r out after; exit $code"
    run = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    assert run.returncode == 1, run.stderr
    left = done("after")  # where a result was the last that had room, its entry had none: it is told as failed, too
    check("after", sorted(results("after")), left)
    for name in {*NAMES} - left:
        assert re.search(f"in/{name}.raw: failed: .*No space left on device", run.stdout)
    assert f"{len(left)} done, 0 done before and unchanged, {5 - len(left)} failed" in run.stdout
    assert ("no summary and report" in run.stdout) == (not Path("after/report.html").exists())
    assert batch(read_chain("chain.toml"), ["in"], Path("after")).exit_code == 0
    check("after")


def test_two_runs_at_once_share_the_work(folder):
    words = [
        "batch",
        chain_file(stage='{call = {function = "drill:wait", gate = "gate", go = "go"}}'),
        "in",
        "-o",
        "out",
    ]
    one = start(*words, "--workers", "1")
    until(Path("gate").exists, one)
    other = start(*words, "--workers", "1")
    log = Path("out/logs/deep/r4.log")
    until(lambda: "waits" in log.read_text(), other)
    Path("go").touch()
    assert [run.wait() for run in (one, other)] == [0, 0], (one.communicate(), other.communicate())
    for run in (one, other):
        run.communicate()
    check("out")
    for name in NAMES:
        assert Path(f"out/logs/{name}.log").read_text().count(" done in ") == 1


def test_a_script_that_processes_cannot_import_is_told_so(folder):
    script = "from eventsnn.pipelines.chain import read_chain; read_chain('denoise').batch(['in'], 'out')"
    run = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True)
    assert run.returncode == 1
    assert "if __name__ == '__main__'" in run.stderr.splitlines()[-1]


def test_shards_are_parts_of_the_whole(folder):
    for part in ("1/2", "2/2"):
        assert batch(DENOISE, ["in"], Path("out"), shard=part, workers=1).exit_code == 0
    check("out")
    assert len(Path("out/summary.csv").read_text().splitlines()) == 6


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_on_a_cluster_of_this_machine(folder):
    pytest.importorskip("distributed")
    Path("in/bad.raw").write_bytes(b"nothing")
    run = start("batch", chain_file(), "in", "-o", "out", "--cluster", "local", "--workers", "2")
    said, errors = run.communicate()
    assert run.returncode == 1, errors
    assert "5 done, 0 done before and unchanged, 1 failed" in said
    check("out")


def test_a_cluster_ends_what_hangs_and_survives_what_dies(folder):
    pytest.importorskip("distributed")
    Path("chain.toml").write_text(
        'chain = ["open", {call = {function = "drill:die", gate = "died"}}, '
        '{call = {function = "drill:hang", gate = "hung"}}, "denoise", "to_hdf5"]'
    )
    words = ["batch", "chain.toml", "in", "-o", "out", "--cluster", "local", "--workers", "2"]
    run = start(*words, "--timeout", "5")
    said, errors = run.communicate()
    assert run.returncode == 1, errors
    assert "4 done, 0 done before and unchanged, 1 failed" in said
    assert "failed: it took longer than the timeout of 5 s" in said
    assert Path("died").exists()
    assert batch(read_chain("chain.toml"), ["in"], Path("out"), workers=2).exit_code == 0
    check("out")


def test_the_scheduler_of_a_cluster_restarted(folder):
    pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{free_port()}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def scheduler():
        port = address.rpartition(":")[2]
        words = ["scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show"]
        started = subprocess.Popen([sys.executable, "-m", "dask", *words], **quiet)
        while True:
            assert started.poll() is None
            try:
                socket.create_connection(("127.0.0.1", int(port)), 1).close()
                return started
            except OSError:
                time.sleep(0.01)

    def worker():
        words = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
        return subprocess.Popen([sys.executable, "-m", "dask", *words], **quiet)

    processes = [scheduler(), worker()]
    try:
        stage = '{call = {function = "drill:hang", gate = "gate"}}'
        run = start("batch", chain_file(stage=stage), "in", "-o", "out", "--cluster", address)
        until(Path("gate").exists, run)
        for process in processes:
            process.kill()
            process.wait()
        processes = [scheduler(), worker()]
        said, errors = run.communicate()
        assert run.returncode == 0, errors
        assert "5 done" in said
        check("out")
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("denoize in -o out", "unknown chain 'denoize'; did you mean 'denoise'"),
        ("wrong.toml in -o out", "wrong.toml: stage 3, to_raw, takes events, but stage 2, frames(dt='1ms'), gives"),
        (
            "table.toml in -o out",
            "stage 3, to_csv, writes a line of numbers for each frame, as networks give them",
        ),
        ("denoise in/*.aedat4 -o out", "in/*.aedat4: nothing matches this pattern"),
        ("denoise nowhere -o out", "nowhere: there is no such recording or folder"),
        ("denoise deep -o out", "deep: no event files in this folder"),
        ("denoise in -o in/out", "lies inside the input in"),
        ("denoise in/**/*.raw -o in/out", "lies inside the input in"),
        ("denoise in/r0.raw -o in", "the output in holds the recording in/r0.raw"),
        ("denoise in/r0.raw twice/r0.raw -o out", "would both have results called r0; give the folder above them"),
        ("denoise in -o out --shard 3/2", "shard must be i/n with i from 1 to n"),
        ("denoise in -o out --retry -1", "retry not negative"),
        ("denoise in -o out --device tpu", "no device is called 'tpu'"),
        ("denoise in -o out --cluster tcp://127.0.0.1:9", "no Dask scheduler answers at 'tcp://127.0.0.1:9'"),
        ("denoise in -o out --cluster here", "no Dask scheduler answers at 'here' (not an address)"),
        ("denoise plain.txt -o out", "plain.txt does not name its sensor, and stage 2, hot_pixels"),
        ("crop.toml in -o out", "stage 2, crop(left=0, top=0, width=50, height=9), does not fit"),
        ("denoise summary.raw -o out", "would be called summary, as the run's own; rename it"),
    ],
)
def test_bad_input_is_refused_before_work_starts(folder, capsys, words, message):
    (folder / "deep").mkdir()
    (folder / "twice").mkdir()
    shutil.copy("in/r0.raw", "twice")
    shutil.copy("in/r0.raw", "summary.raw")
    Path("plain.txt").write_text("0.000100 3 4 1\n0.002500 5 6 0\n")
    Path("wrong.toml").write_text('chain = ["open", {frames = {dt = "1ms"}}, "to_raw"]')
    Path("table.toml").write_text('chain = ["open", {frames = {dt = "1ms"}}, "to_csv"]')
    Path("crop.toml").write_text('chain = ["open", {crop = {left = 0, top = 0, width = 50, height = 9}}, "to_raw"]')
    assert main(["batch", *words.split()]) == 2
    assert message in capsys.readouterr().err
    assert not Path("out").exists()


def test_mixed_sensors_where_a_stage_needs_one(folder):
    eventsnn.write("in/wide.raw", noise(0, sensor=(50, 30)))
    net = torch.nn.Conv2d(2, 1, 3)
    with pytest.raises(
        ValueError, match=r"needs recordings of one sensor: .*frames \[2, 30, 40\].*frames \[2, 30, 50\]"
    ):
        batch(Pipeline().open().frames(dt="10ms").then(net).to_pt(), ["in"], Path("out"))
    cropped = Pipeline().open().crop(0, 0, 40, 30).frames(dt="10ms").then(net).to_pt()
    assert batch(cropped, ["in/wide.raw", "in/r0.raw"], Path("out"), workers=1).exit_code == 0


def test_explain_stops_before_work(folder, capsys):
    assert main(["batch", "denoise", "in", "-o", "out", "--explain"]) == 0
    assert "events 40x30" in capsys.readouterr().out
    assert not Path("out").exists()


def test_names_are_paths_seen_from_what_was_given(folder):
    out = Path("out")
    assert [each.name for each in inputs.find(["in"], out)] == NAMES
    assert [each.name for each in inputs.find(["in/deep"], out)] == ["r4"]
    assert [each.name for each in inputs.find(["in/*/r*.raw", "in/r1.raw"], out)] == ["deep/r4", "r1"]
    assert [each.name for each in inputs.find(["in/r[01].raw", "in/r1.raw"], out)] == ["r0", "r1"]


def test_a_pool_gives_one_outcome_for_each_recording(folder):
    jobs = inputs.find(["in"], Path("out"))
    heard = []
    plan = Plan(Pipeline().open(), "x", Path("out"))
    outcomes = list(pooled(jobs, plan, ["cpu", "cpu"], heard.append))
    assert sorted(outcome.job.name for outcome in outcomes) == NAMES
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert sum(heard) == 5 * 2_000


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_worker_for_each_gpu(folder):
    (folder / "in" / "bad.raw").write_bytes(b"nothing")
    layers = ("conv 4 3", "LIFBox", "flatten", "linear classes", "LIBox")
    run = Run.start(Recipe(dataset="shapes", dt="10ms", layers=layers), {"classes": ["a", "b"], "shape": [2, 30, 40]})
    path = save(folder / "best.safetensors", run)
    chain = Pipeline().open().denoise().frames(dt="2ms").network(str(path)).to_npy()
    assert crew.devices("cuda", None, 100) == [f"cuda:{k}" for k in range(torch.cuda.device_count())]
    for device in ("cpu", "cuda", "cuda:0"):
        found = batch(chain, ["in"], Path(device), device=device)
        assert sorted(outcome.status for outcome in found.outcomes) == 5 * ["done"] + ["failed"], found.failed
    for name in NAMES:
        here, one, other = (np.load(f"{device}/{name}.npy") for device in ("cpu", "cuda", "cuda:0"))
        assert np.array_equal(one, other)
        np.testing.assert_allclose(one, here, atol=1e-4)


def test_what_is_watched_does_not_grow():
    watch = Watch(lambda events: None)
    rng = np.random.default_rng(0)
    parts = []
    for k in range(300):
        t = np.sort(rng.integers(k * 100_000, (k + 1) * 100_000, 500)) + 5
        parts.append(eventsnn.Events(t, t % 40, t % 30, t % 2, sensor=(40, 30)))
    assert sum(map(len, watch("events", parts))) == 150_000
    rows = [(k, k * 1_000, 1, float(k), 2.0) for k in range(10_000)]
    assert len(list(watch("tracks", rows))) == 10_000
    facts = watch.facts()
    t = np.concatenate([part.t for part in parts])
    wanted = np.bincount((t - t[0]) // facts["rate"]["bin_us"])
    assert facts["rate"]["events"] == wanted.tolist()
    assert (facts["events"], facts["on"]) == (150_000, int((t % 2).sum()))
    assert (facts["first_us"], facts["duration_us"]) == (t[0], t[-1] - t[0])
    assert len(facts["tracks"][0]["path"]) <= 65
    assert len(json.dumps(facts)) < 20_000
