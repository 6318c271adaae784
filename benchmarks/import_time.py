"""How long ``import eventsnn`` takes, against ``import torch``: medians of fresh processes, turn about.

python benchmarks/import_time.py
"""

import statistics
import subprocess
import sys
import time


def seconds(module: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


taken: dict[str, list[float]] = {"torch": [], "eventsnn": []}
for _ in range(11):
    for module, times in taken.items():
        times.append(seconds(module))
torch, ours = (statistics.median(times) for times in taken.values())
print(f"import torch {torch:.3f} s, import eventsnn {ours:.3f} s, ratio {ours / torch:.3f}")
