"""Every representation as an object: settings once, then any number of recordings, batches or streams.

They are named and set as tonic's transforms of the same name, and take their record arrays, so each can stand in a
``tonic.transforms.Compose``; times are whole microseconds or texts such as "10ms", and the result is a torch tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import torch

from eventsnn.events import Events
from eventsnn.structured import either

from .averaged import AveragedTimeSurface, to_averaged_time_surface
from .binning import NEVER
from .bins import device_of
from .cells import cells
from .counts import to_frames
from .est import to_event_spike_tensor
from .packed import Packed
from .representation import Representation
from .sparse import to_sparse
from .surfaces import to_latest_timestamps, to_surface_of_active_events, to_time_surface
from .tore import to_tore
from .voxel import to_voxel_grid
from .windows import windows

__all__ = [
    "ToAveragedTimesurface",
    "ToEventSpikeTensor",
    "ToFrame",
    "ToImage",
    "ToLatestTimestamps",
    "ToSparseTensor",
    "ToSurfaceOfActiveEvents",
    "ToTORE",
    "ToTimesurface",
    "ToVoxelGrid",
]

Duration = int | str


class ToFrame(Representation):
    """``to_frames`` with tonic's names of the settings; as there, a last window that is not full is dropped.

    >>> events = Events([0, 400, 1_200, 2_900], x=[0, 1, 1, 2], y=[0, 0, 1, 1], p=[0, 1, 1, 1], sensor=(3, 2))
    >>> ToFrame((3, 2, 2), time_window=1_000)(events).shape
    torch.Size([2, 2, 2, 3])
    >>> [(begin, frame.sum().item()) for begin, frame in ToFrame((3, 2, 2), event_count=2).stream([events])]
    [(0, 2.0), (1200, 2.0)]
    """

    _function: Callable[..., torch.Tensor] = staticmethod(to_frames)

    def __init__(
        self,
        sensor_size: tuple[int, ...],
        time_window: Duration | None = None,
        event_count: int | None = None,
        n_time_bins: int | None = None,
        n_event_bins: int | None = None,
        overlap: Duration = 0,
        include_incomplete: bool = False,
        start_time: int | None = None,
        end_time: int | None = None,
        **settings: Any,
    ) -> None:
        time = {"dt": time_window, "count": event_count, "n_bins": n_time_bins, "n_event_bins": n_event_bins}
        edges = {"overlap": overlap, "incomplete": include_incomplete, "start": start_time, "stop": end_time}
        super().__init__(self._function, sensor_size, {**time, **edges}, settings)


class ToSparseTensor(ToFrame):
    """``to_sparse`` with the settings of ``ToFrame``.

    >>> ToSparseTensor((3, 2, 2), time_window=1)(Events([0, 9], [0, 1], [0, 0], [1, 1])).shape
    torch.Size([10, 2, 2, 3])
    """

    _function = staticmethod(to_sparse)


class ToImage(Representation):
    """All events in one frame of counts, ``[C, H, W]``.

    >>> ToImage((2, 1, 2))(Events([0, 9, 9], [0, 1, 1], [0, 0, 0], [1, 1, 1])).tolist()
    [[[0.0, 0.0]], [[1.0, 2.0]]]
    """

    def __init__(self, sensor_size: tuple[int, ...], **settings: Any) -> None:
        super().__init__(to_frames, sensor_size, {"n_bins": 1}, settings)

    @either
    def __call__(self, events: Events | Packed) -> torch.Tensor:
        return super().__call__(events)[0]


class ToVoxelGrid(Representation):
    """``to_voxel_grid``: in contrast to tonic's, no weight is lost at the borders. Of a stream, one grid a window.

    >>> ToVoxelGrid((2, 1, 2), n_time_bins=3)(Events([0, 25, 100], [0, 1, 1], [0, 0, 0], [1, 1, 0])).shape
    torch.Size([3, 1, 1, 2])
    """

    def __init__(self, sensor_size: tuple[int, ...], n_time_bins: int, **settings: Any) -> None:
        super().__init__(to_voxel_grid, sensor_size, {"n_bins": n_time_bins}, {"channels": "signed", **settings})
        self.points = n_time_bins


class ToEventSpikeTensor(Representation):
    """``to_event_spike_tensor`` with a kernel, such as a ``TimeKernel`` in training. Of a stream, one a window.

    >>> ToEventSpikeTensor((2, 1), n_time_bins=3)(Events([0, 25, 100], [0, 1, 1], [0, 0, 0], [1, 1, 0])).shape
    torch.Size([3, 2, 1, 2])
    """

    def __init__(
        self,
        sensor_size: tuple[int, ...],
        n_time_bins: int,
        kernel: Callable[[torch.Tensor], torch.Tensor] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(to_event_spike_tensor, sensor_size, {"n_bins": n_time_bins}, {"kernel": kernel, **settings})
        self.points = n_time_bins


class ToLatestTimestamps(Representation):
    """``to_latest_timestamps`` every ``dt``.

    >>> ToLatestTimestamps((2, 1, 1), dt=10)(Events([0, 9], [0, 1], [0, 0], [1, 1])).shape
    torch.Size([1, 1, 1, 2])
    """

    def __init__(self, sensor_size: tuple[int, ...], dt: Duration, **settings: Any) -> None:
        super().__init__(to_latest_timestamps, sensor_size, {"dt": dt}, settings)


class ToSurfaceOfActiveEvents(Representation):
    """``to_surface_of_active_events`` every ``dt``; a stream carries the surface.

    >>> surface = ToSurfaceOfActiveEvents((2, 1, 1), dt=10)
    >>> [s.flatten().tolist() for _, s in surface.stream([Events([0, 4, 12], [0, 1, 0], [0, 0, 0], [1, 1, 1])])]
    [[0, 4], [12, 4]]
    """

    def __init__(self, sensor_size: tuple[int, ...], dt: Duration, **settings: Any) -> None:
        super().__init__(to_surface_of_active_events, sensor_size, {"dt": dt}, settings)

    def _window(self, window: Events, begin: int, length: int, state: dict[str, torch.Tensor]) -> torch.Tensor:
        time: dict[str, Any] = {"start": begin, "duration": length, "before": state.get("before")}
        kept = {key: value for key, value in self.settings.items() if key in ("channels", "downsample", "check")}
        state["before"] = to_surface_of_active_events(window, length, sensor=self.sensor, **time, **kept)[0]
        return state["before"]


class ToTimesurface(ToSurfaceOfActiveEvents):
    """``to_time_surface`` every ``dt``, decaying with ``tau``; a stream carries the surface of active events.

    >>> ToTimesurface((2, 1, 2), dt=10, tau=20)(Events([0, 12], [0, 1], [0, 0], [1, 1])).shape
    torch.Size([2, 2, 1, 2])
    """

    def __init__(
        self,
        sensor_size: tuple[int, ...],
        dt: Duration,
        tau: Duration,
        decay: Literal["exp", "linear"] = "exp",
        **settings: Any,
    ) -> None:
        Representation.__init__(
            self, to_time_surface, sensor_size, {"dt": dt}, {"tau": tau, "decay": decay, **settings}
        )

    def _window(self, window: Events, begin: int, length: int, state: dict[str, torch.Tensor]) -> torch.Tensor:
        before = state.get("before")
        super()._window(window, begin, length, state)
        time: dict[str, Any] = {"start": begin, "duration": length, "before": before}
        return to_time_surface(window, length, sensor=self.sensor, **time, **self.settings)[0]


class ToTORE(Representation):
    """``to_tore`` every ``dt``, of the last ``k`` events of a pixel; a stream carries their stamps.

    >>> ToTORE((2, 1, 2), dt=10, k=2)(Events([0, 12], [0, 1], [0, 0], [1, 1])).shape
    torch.Size([2, 4, 1, 2])
    """

    def __init__(self, sensor_size: tuple[int, ...], dt: Duration, k: int = 3, **settings: Any) -> None:
        super().__init__(to_tore, sensor_size, {"dt": dt}, {"k": k, **settings})

    def _window(self, window: Events, begin: int, length: int, state: dict[str, torch.Tensor]) -> torch.Tensor:
        settings = {"sensor": self.sensor, **self.settings}
        if "fifo" not in state:
            grid = cells(window, self.sensor, settings.get("channels", 2), settings.get("downsample", 1))
            state["fifo"] = torch.full((*grid.shape, settings["k"]), NEVER, device=device_of(window))
        return to_tore(window, length, start=begin, duration=length, fifo=state["fifo"], **settings)[0]


class ToAveragedTimesurface(Representation):
    """``to_averaged_time_surface`` with tonic's names; a stream gives the surface so far after each window of ``dt``.

    >>> ToAveragedTimesurface((20, 10, 2))(Events([0, 12], [0, 1], [0, 0], [1, 1])).shape
    torch.Size([2, 2, 5, 5])
    """

    def __init__(
        self,
        sensor_size: tuple[int, ...],
        surface_size: int = 5,
        cell_size: int = 10,
        time_window: Duration = 1_000,
        tau: Duration = 100,
        decay: Literal["exp", "lin"] = "exp",
    ) -> None:
        settings = {"surface_size": surface_size, "cell_size": cell_size, "tau": tau, "decay": decay}
        super().__init__(to_averaged_time_surface, sensor_size[:2], {}, {"time_window": time_window, **settings})

    def stream(
        self, chunks: Events | Iterable[Events], *, device: torch.device | str = "cpu", **time: Any
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Pairs (start of the window, the surface of all so far); ``time`` are settings of ``windows``."""
        surface = AveragedTimeSurface(self.sensor, **self.settings)
        for begin, window in windows(chunks, **time):
            yield begin, surface(window).to(device)
