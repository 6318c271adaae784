"""Train the network of ``eventsnn track --tracker learned`` and put it where the package has it, without its optimiser.

    python benchmarks/pretrained_tracker.py OUT                trains into OUT first, or goes on with what is there
    python benchmarks/pretrained_tracker.py OUT --only-copy    OUT/stage1 and OUT/stage2 were trained before

Two stages, some eight minutes on two CPU cores: a small network, trained briefly. One with 28 kernels, three temporal
channels, trained for a minute on an H100 (500 iterations of 32 clips), came to 1.87 px on such clips.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from eventsnn.pipelines.learn_to_track import Config, run
from eventsnn.track.field_network import NetworkConfig
from eventsnn.track.network_file import read_network, write_network

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / "eventsnn" / "track" / "learned.safetensors"
_FIRST = Config(
    network=NetworkConfig("lif", "rf", mixing="learned", scales=(0.5, 2.0), taus=(5.5, 22.0)),
    scenes="varied",
    size_weight=0.05,
    iterations=300,
    batch_size=6,
    warmup=34,
    save_every=50,
    clips=54,
)
STAGES = (_FIRST, replace(_FIRST, iterations=720, lr=3e-3, decay=0.85, seed=1, save_every=60))


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("out", type=Path)
    parse.add_argument("--device", default="cpu")
    parse.add_argument("--only-copy", action="store_true")
    given = parse.parse_args()
    start, lines = None, []
    for number, stage in enumerate(STAGES, 1):
        folder = given.out / f"stage{number}"
        file = folder / "network.safetensors"
        if not given.only_copy:
            given.out.mkdir(exist_ok=True)
            run(replace(stage, out=folder, start=start, device=given.device, resume=file.exists()))
        lines += [
            json.dumps({"stage": number, **json.loads(line)})
            for line in (folder / "log.jsonl").read_text().splitlines()
        ]
        start = file
    net, about, _ = read_network(file)
    errors = json.loads((folder / "report.json").read_text())["errors"]
    write_network(PLACE, net, {**about, "errors": errors})
    (HERE / "results" / "learned-tracker.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{PLACE}: {PLACE.stat().st_size:,} bytes, {errors['mean']:.2f} px on held-out clips")


if __name__ == "__main__":
    main()
