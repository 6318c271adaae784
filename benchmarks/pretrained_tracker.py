"""Train the network of ``eventsnn track --tracker learned`` and put it where the package has it, without its optimiser.

python benchmarks/pretrained_tracker.py OUT --device cuda    trains into OUT first, or goes on with what is there
python benchmarks/pretrained_tracker.py OUT --only-copy      OUT was trained elsewhere
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
SETTINGS = Config(
    network=NetworkConfig("lif", "rf", mixing="learned"),
    scenes="varied",
    size_weight=0.05,
    iterations=3000,
    save_every=250,
    clips=576,
)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("out", type=Path)
    parse.add_argument("--device", default="cuda")
    parse.add_argument("--iterations", type=int, default=SETTINGS.iterations)
    parse.add_argument("--only-copy", action="store_true")
    given = parse.parse_args()
    if not given.only_copy:
        resume = (given.out / "network.safetensors").exists()
        run(replace(SETTINGS, out=given.out, device=given.device, iterations=given.iterations, resume=resume))
    net, about, _ = read_network(given.out / "network.safetensors")
    report = json.loads((given.out / "report.json").read_text())
    write_network(PLACE, net, {**about, "errors": report["errors"]})
    (HERE / "results" / "learned-tracker.jsonl").write_text((given.out / "log.jsonl").read_text())
    print(f"{PLACE}: {PLACE.stat().st_size:,} bytes, {report['errors']['mean']:.2f} px on held-out clips")


if __name__ == "__main__":
    main()
