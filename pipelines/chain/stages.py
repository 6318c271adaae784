"""The stages by name: which function or class each one is; its parameters are read from that one's signature."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A stage: what it takes and gives, how its target is made into a step of a stream (see ``ways``), and from what.

    ``more`` is the function that takes the target's further settings, ``unit`` that of the numbers it gives,
    ``ending`` that of the file it writes, ``preset`` are settings that hold unless others are given, ``sensor`` says
    that the sensor's size must be known, ``vectors`` that frames must be ``[n]``.
    """

    takes: str
    gives: str
    way: str
    target: str
    unit: str = ""
    more: str = ""
    ending: str = ""
    preset: tuple[tuple[str, Any], ...] = ()
    sensor: bool = False
    vectors: bool = False

    @property
    def object(self) -> Any:
        """The function or class."""
        return _object(self.target)


def _filter(name: str) -> tuple[Row, ...]:
    return (Row("events", "events", "filtering", f"eventsnn.filters:{name}", sensor=True),)


def _function(name: str) -> tuple[Row, ...]:
    return (Row("events", "events", "function", f"eventsnn.filters:{name}"),)


def _frames(name: str, function: str, unit: str, **preset: Any) -> tuple[Row, ...]:
    made, more, given = f"eventsnn.frames:{name}", f"eventsnn.frames:{function}", tuple(preset.items())
    return (Row("events", "frames", "representation", made, unit, more, preset=given, sensor=True),)


def _encoder(name: str) -> tuple[Row, ...]:
    return (Row("frames", "frames", "encoder", f"eventsnn.encode:{name}", "spikes"),)


def _file(ending: str, *kinds: str) -> tuple[Row, ...]:
    return tuple(Row(kind, kind, "sink", f"{_HERE}.sinks:write_{kind}", ending=ending) for kind in kinds)


_HERE = "eventsnn.pipelines.chain"

STAGES: Mapping[str, tuple[Row, ...]] = {
    "open": (Row("", "events", "source", "eventsnn.io:open"),),
    "denoise": _filter("SpatioTemporalCorrelationFilter"),
    "correlation": _filter("SpatioTemporalCorrelationFilter"),
    "background": _filter("BackgroundActivityFilter"),
    "hot_pixels": _filter("HotPixelFilter"),
    "flicker": _filter("FlickerFilter"),
    "refractory": _filter("RefractoryFilter"),
    "rate_limit": _filter("RateLimiter"),
    "downsample_with_rest": _filter("DownsampleFilter"),
    "crop": _function("crop"),
    "downsample": _function("downsample"),
    "flip_lr": _function("flip_lr"),
    "flip_ud": _function("flip_ud"),
    "transpose": _function("transpose"),
    "mask": _function("mask"),
    "remap": _function("remap"),
    "only_polarity": _function("only_polarity"),
    "scale_time": _function("scale_time"),
    "shift_time": _function("shift_time"),
    "frames": _frames("ToFrame", "to_frames", "events", include_incomplete=True),
    "sparse_frames": _frames("ToSparseTensor", "to_sparse", "events", include_incomplete=True),
    "image": _frames("ToImage", "to_frames", "events"),
    "voxel_grid": _frames("ToVoxelGrid", "to_voxel_grid", "events, shared by two bins"),
    "event_spike_tensor": _frames("ToEventSpikeTensor", "to_event_spike_tensor", "events, by a kernel"),
    "latest_timestamps": _frames("ToLatestTimestamps", "to_latest_timestamps", "us"),
    "active_events": _frames("ToSurfaceOfActiveEvents", "to_surface_of_active_events", "us"),
    "time_surface": _frames("ToTimesurface", "to_time_surface", "0..1, 1 is now"),
    "tore": _frames("ToTORE", "to_tore", "log of us"),
    "averaged_time_surface": _frames("ToAveragedTimesurface", "to_averaged_time_surface", "0..1, 1 is now"),
    "poisson": _encoder("PoissonEncoder"),
    "poisson_step": _encoder("PoissonEncoderStep"),
    "signed_poisson": _encoder("SignedPoissonEncoder"),
    "signed_poisson_step": _encoder("SignedPoissonEncoderStep"),
    "constant_current_lif": _encoder("ConstantCurrentLIFEncoder"),
    "latency_lif": _encoder("SpikeLatencyLIFEncoder"),
    "phase": _encoder("PhaseEncoder"),
    "rank_order": _encoder("RankOrderEncoder"),
    "ttfs": _encoder("TTFSEncoder"),
    "population": _encoder("PopulationEncoder"),
    "network": (Row("frames", "frames", "network", f"{_HERE}.networks:checkpoint", "output"),),
    "track": (Row("events", "tracks", "tracker", f"{_HERE}.tracking:follow", sensor=True),),
    "call": (Row("events", "events", "call", f"{_HERE}.ways:named"),),
    "to_hdf5": _file(".h5", "events", "frames"),
    "to_npz": _file(".npz", "events", "frames"),
    "to_csv": (
        *_file(".csv", "events", "tracks"),
        Row("frames", "frames", "sink", f"{_HERE}.sinks:write_vectors", ending=".csv", vectors=True),
    ),
    "to_raw": _file(".raw", "events"),
    "to_dat": _file(".dat", "events"),
    "to_aedat4": _file(".aedat4", "events"),
    "to_es": _file(".es", "events"),
    "to_txt": _file(".txt", "events"),
    "to_npy": _file(".npy", "frames"),
    "to_pt": _file(".pt", "frames"),
    "to_video": (Row("events", "events", "sink", f"{_HERE}.sinks:write_video", ending=".mp4", sensor=True),),
}

_WINDOWS = {"dt", "count", "overlap"}
_OWN = {"sensor", "sensor_size", "events", "chunks", "items", "flow", "path", "last", "device", "kernel", "generator"}
_OWN |= {"settings", "time", "distance_function", "hot", "p"}
_OF_STREAMS = {"start", "stop", "duration", "n_bins", "before", "fifo", "check", "incomplete", "measure"}
_OF_STREAMS |= {"n_event_bins"}
_OF_WHOLES = {"n_event_bins", "start_time", "end_time", "time_window", "event_count"}


@cache
def _object(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


@cache
def parameters(row: Row) -> Mapping[str, inspect.Parameter]:
    """The settings of a stage with their defaults: what its target takes beside the stream and the sensor.

    >>> {name: each.default for name, each in parameters(STAGES["denoise"][0]).items()}
    {'tau': '5ms', 'support': 2, 'same_polarity': False, 'late': 'raise'}
    """
    given = dict(inspect.signature(row.object).parameters)
    if row.way == "source":
        return {name: each for name, each in given.items() if name != "path"}
    if row.way == "function":
        del given[next(iter(given))]
    if row.way == "representation":
        own = {name: each for name, each in given.items() if name not in _OF_WHOLES}
        if "event_count" in given:  # frames of a stream go by time or number, not by their number
            own.pop("n_time_bins")
        free = inspect.Parameter("_", inspect.Parameter.KEYWORD_ONLY, default=None)
        if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in given.values()):
            more = inspect.signature(_object(row.more)).parameters
            own |= {name: each for name, each in more.items() if name not in _OF_STREAMS and name not in own}
            own |= {name: free for name in ("channels", "downsample", "dtype") if name not in own}
        given = own | {name: free for name in _WINDOWS if name not in own}
    if row.way == "sink":
        given["suffix"] = inspect.Parameter("suffix", inspect.Parameter.KEYWORD_ONLY, default="")
    return {name: each for name, each in given.items() if name not in _OWN}


def nearest(what: str, name: str, known: Any) -> str:
    """The message for an unknown name: the nearest that is known, or all of them.

    >>> nearest("stage", "denoize", ("denoise", "crop"))
    "unknown stage 'denoize'; did you mean 'denoise'?"
    """
    near = get_close_matches(str(name), list(known), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known)) or 'none'}"
    return f"unknown {what} {name!r}; {hint}"
