"""Pictures of a training: its curves, and which classes are taken for which. Needs matplotlib (extra ``plot``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor


def _figure(width: float, height: float, columns: int = 1) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'eventsnn[plot]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def curves(history: Sequence[dict[str, Any]], best_epoch: int, path: Path) -> None:
    """Loss and accuracy by epoch, of training and validation, as PNG."""
    figure, axes = _figure(10, 3.6, 2)
    epochs = [record["epoch"] for record in history]
    for axis, names, title in (
        (axes[0], ("loss", "validation_loss"), "loss"),
        (axes[1], ("accuracy", "validation"), "accuracy"),
    ):
        for name, label, colour in zip(names, ("training", "validation"), ("#1f77b4", "#d95f02"), strict=True):
            if name in history[-1]:
                axis.plot(
                    epochs, [record[name] for record in history], color=colour, label=label, marker="o", markersize=3
                )
        if "validation" in history[-1]:
            axis.axvline(best_epoch, color="#888888", linestyle=":", label="best validation")
        axis.set(xlabel="epoch", ylabel=title)
        axis.locator_params("x", integer=True)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    axes[1].set_ylim(top=1.02)
    figure.savefig(path, dpi=120, format="png")


def confusion_matrix(counts: Tensor, classes: Sequence[str], title: str, path: Path) -> None:
    """Shares of each class (rows) by what it was taken for (columns), with the counts, as PNG."""
    n = len(classes)
    side = max(4.0, 0.42 * n + 2.2)
    figure, axis = _figure(side + 0.8, side)
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    image = axis.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    axis.set(xlabel="taken for", ylabel="class", title=title, xticks=range(n), yticks=range(n))
    axis.set_xticklabels(classes, rotation=90 if max(map(len, classes)) > 2 else 0)
    axis.set_yticklabels(classes)
    if n <= 40:
        for row, column in counts.nonzero().tolist():
            colour = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, int(counts[row, column]), ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, ax=axis, shrink=0.8, label="share of the class")
    figure.savefig(path, dpi=120, format="png")
