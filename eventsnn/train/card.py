"""The model card: what was trained on what, how well it does, and what an inference costs."""

from __future__ import annotations

import dataclasses
import json
import platform
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from .cost import Cost
from .run import Run


def device_name(device: torch.device) -> str:
    """The name of the processor or GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next((name for name in named if name), f"{platform.processor() or platform.machine()} CPU")


def card(run: Run, tested: dict[str, float], samples: dict[str, int], found: Cost) -> str:
    """The card in Markdown; ``tested`` are test accuracies by the name of the checkpoint."""
    recipe, facts = run.recipe, run.facts
    said = run.history[-1]
    rows: list[tuple[str, Any]] = [
        ("dataset", f"{facts['dataset']}, training split {facts['split_hash']}, test split {facts['test_hash']}"),
        ("samples", ", ".join(f"{count:,} {name}" for name, count in samples.items())),
        ("classes", f"{len(facts['classes'])}: {', '.join(facts['classes'])}"),
        (
            "input",
            f"{' x '.join(map(str, facts['shape']))} numbers a frame, from a sensor of {facts['sensor'][0]} x "
            f"{facts['sensor'][1]}",
        ),
        ("test accuracy, last checkpoint", _percent(tested["last"], samples["test"])),
    ]
    if "best" in tested:
        best = f"best on validation (epoch {run.best_epoch}, {run.best:.2%} there)"
        rows.append((f"test accuracy, {best}", _percent(tested["best"], samples["test"])))
        rows.append(("validation accuracy, last checkpoint", f"{said['validation']:.2%}"))
    rows += [
        ("parameters", f"{found.parameters:,} ({found.bytes / 1024:,.1f} KiB with buffers)"),
        ("synaptic operations per inference", f"{found.effective_acs:,.0f} ACs and {found.effective_macs:,.0f} MACs"),
        ("dense operations per inference", f"{found.dense:,.0f}"),
        ("spikes per inference", f"{found.spikes:,.0f}"),
        ("activation sparsity", f"{found.activation_sparsity:.2%}"),
        ("trained", f"{run.epoch} epochs, {run.step:,} steps in {run.seconds:.1f} s"),
        ("device", f"{device_name(run.device)}{f', {run.world} processes' if run.world > 1 else ''}"),
        ("software", f"eventsnn {__version__}, PyTorch {torch.__version__}, Python {platform.python_version()}"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    settings = {k: v for k, v in dataclasses.asdict(recipe).items() if k != "about" and v is not None}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    chosen = "the best one was chosen on the samples for validation" if "best" in tested else "and there is no other"
    note = "" if not facts.get("generated") else (
        "\n> Trained on generated recordings in the dataset's layout: the accuracy tells nothing about the dataset.\n"
    )  # fmt: skip
    return f"""# {facts["dataset"]} classifier
{note}
{recipe.about}

| | |
|---|---|
{table}

No number was chosen on the test split: the last checkpoint is that of the last epoch,
{chosen}. Operations, spikes and sparsity are NeuroBench's, on the test split; an inference is a whole recording.
Classify recordings with `eventsnn predict last.safetensors FILE`; go on training with `eventsnn train --resume`.

## Recipe
```toml
{text}
```
"""


def _percent(value: float, count: int) -> str:
    return f"{value:.2%} ({round(value * count):,} of {count:,})"
