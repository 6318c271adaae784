"""Train the network of ``eventsnn track --tracker learned`` and put it where the package has it, without its optimiser.

    python benchmarks/pretrained_tracker.py OUT --device cuda    trains into OUT, or goes on with what is there
    python benchmarks/pretrained_tracker.py OUT --only-copy      OUT/network.safetensors was trained before

A network goes to the package with its errors on clips that no training sees; its log to results/learned-tracker.jsonl.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from eventsnn.pipelines.learn_to_track import Config, run
from eventsnn.track.network_file import read_network, write_network

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / "eventsnn" / "track" / "learned.safetensors"
TRAINING = Config(iterations=2700, save_every=250, clips=576)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("out", type=Path)
    parse.add_argument("--device", default="auto")
    parse.add_argument("--only-copy", action="store_true")
    given = parse.parse_args()
    file = given.out / "network.safetensors"
    if not given.only_copy:
        run(replace(TRAINING, out=given.out, device=given.device, resume=file.exists()))
    net, about, _ = read_network(file)
    errors = json.loads((given.out / "report.json").read_text())["errors"]
    write_network(PLACE, net, {**about, "errors": errors})
    (HERE / "results" / "learned-tracker.jsonl").write_text((given.out / "log.jsonl").read_text())
    print(f"{PLACE}: {PLACE.stat().st_size:,} bytes, {errors['mean']:.2f} px on held-out clips")


if __name__ == "__main__":
    main()
