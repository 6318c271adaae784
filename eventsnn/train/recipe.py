"""Recipe: everything that settles a training, in one flat record that is a TOML file as it stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from .readout import READOUTS
from .schedule import SCHEDULES
from .words import unknown

OPTIMISERS = ("adamw", "adam", "sgd")
LEAST = {
    1: ("epochs", "batch_size", "save_every", "downsample"),
    0: ("patience", "tbptt", "clip", "weight_decay", "delay_lr", "rate_weight", "rate_low"),
}


@dataclass(frozen=True)
class Recipe:
    """Data, network and training of a classifier. Raises ValueError for values that cannot be.

    >>> Recipe("nmnist", ("flatten", "linear classes", "LI")).replaced(["epochs=3", "lr=0.01"]).lr
    0.01
    """

    dataset: str
    """Name of the dataset."""
    layers: tuple[str, ...]
    """The network, a word a layer: see ``eventsnn.train.network``."""
    about: str = ""
    """What it is, where it comes from, what accuracy to expect."""

    n_bins: int | None = None
    """Frames a recording: its time cut in so many equal parts. Or give dt."""
    dt: str | None = None
    """Length of a frame, such as 10ms."""
    duration: str | None = None
    """With dt: later events are left out, so that all recordings have the same number of frames."""
    downsample: int = 1
    """So many by so many pixels are one."""
    binary: bool = False
    """Frames of 0 and 1 instead of counts."""
    augment: tuple[str, ...] = ()
    """Changes of the training recordings: names and arguments of ``eventsnn.augment``."""
    validation: float = 0.1
    """Share of the training samples held out, of each class alike. 0: none."""

    surrogate: str = "atan"
    """Spike function of the neurons."""
    alpha: float = 2.0
    """Its steepness."""
    readout: str = "membrane_max"
    """From outputs over time to one number a class."""
    gain: float = 1.0
    """Factor on these numbers before the softmax."""

    seed: int = 0
    epochs: int = 20
    batch_size: int = 64
    """Of all processes together."""
    optimiser: str = "adamw"
    lr: float = 1e-3
    delay_lr: float = 1.0
    """Factor on lr for delays."""
    weight_decay: float = 0.0
    """Of matrices and kernels; time constants, biases and norms have none."""
    schedule: str = "cosine"
    warmup: float = 0.0
    """Share of the steps over which lr rises from 0."""
    clip: float = 1.0
    """Largest norm of the gradient. 0: any."""
    label_smoothing: float = 0.0
    ema: float = 0.0
    """Decay of the average of the weights that is evaluated. 0: the weights themselves."""
    patience: int = 0
    """Stop after so many epochs without better validation. 0: never."""
    tbptt: int = 0
    """Steps after which the gradient through time is cut. 0: never."""
    amp: bool = True
    """bfloat16 where it is fast, on a GPU."""
    rate_low: float = 0.0
    rate_high: float = 1.0
    """Mean spikes per neuron and step that are free of penalty."""
    rate_weight: float = 0.0
    """Of the squared distance from these."""
    save_every: int = 200
    """Steps between checkpoints within an epoch."""

    def __post_init__(self) -> None:
        for name in ("layers", "augment"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("readout", READOUTS)):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        if (self.n_bins is None) == (self.dt is None):
            object.__setattr__(self, "n_bins", _bins(self.n_bins, self.dt))
        for least, names in LEAST.items():
            for name in names:
                if not getattr(self, name) >= least:
                    raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("validation", "ema", "warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in 0..1, less than 1, got {getattr(self, name)}")
        for name in ("lr", "alpha", "gain"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.rate_low > self.rate_high:
            raise ValueError(f"rate_low={self.rate_low} must not lie above rate_high={self.rate_high}")

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """A recipe from a TOML file. Raises ValueError, which names the file, for what is none or has unknown keys."""
        try:
            return cls.of(tomllib.loads(path.read_text()))
        except (tomllib.TOMLDecodeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from its keys. Raises ValueError for an unknown key (with the nearest one) or a missing one."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise unknown("recipe key", name, known)
        missing = [name for name in ("dataset", "layers") if name not in values]
        if missing:
            raise ValueError(f"a recipe needs the key {missing[0]}")
        return cls(**{name: _like(cls, name, value) for name, value in values.items()})

    def replaced(self, settings: Iterable[str]) -> Recipe:
        """The recipe with other values: ``key=value``, the values as in TOML, texts also without quotes."""
        changes = {}
        for setting in settings:
            name, given, text = setting.partition("=")
            if not given:
                raise ValueError(f"{setting!r} is no setting; write key=value, such as epochs=3")
            if name not in self.__dataclass_fields__:
                raise unknown("recipe key", name, self.__dataclass_fields__)
            try:
                value = tomllib.loads(f"value = {text}")["value"]
            except tomllib.TOMLDecodeError:
                value = text
            changes[name] = _like(type(self), name, value)
        if "dt" in changes or "n_bins" in changes:
            changes = {"dt": None, "n_bins": None} | changes
        return replace(self, **changes)


def _bins(n_bins: int | None, dt: str | None) -> int:
    if dt is not None:
        raise ValueError("give n_bins or dt, not both")
    return 20


def _like(cls: type[Recipe], name: str, value: Any) -> Any:
    """The value, if it is of the kind of the field's."""
    kind = str(cls.__dataclass_fields__[name].type).removesuffix(" | None")
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    right = {"str": str, "int": int, "float": float, "bool": bool}.get(kind, (list, tuple))
    if value is None or (isinstance(value, right) and (kind == "bool" or not isinstance(value, bool))):
        return value
    raise ValueError(f"{name} must be {'a list of texts' if right == (list, tuple) else kind}, got {value!r}")
