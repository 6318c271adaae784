"""TUM-VIE: walks, sports and a motion-capture room with two Prophesee Gen4 cameras; the cameras are the splits."""

from .card import Card, File
from .layout import recordings_in
from .reading import file_reader

_URL = "https://tumevent-vi.vision.in.tum.de"
_NAMES = """
mocap-1d-trans mocap-3d-trans mocap-6dof mocap-desk mocap-desk2 mocap-shake mocap-shake2 office-maze running-easy
running-hard skate-easy skate-hard loop-floor0 loop-floor1 loop-floor2 loop-floor3 floor2-dark slide bike-easy
bike-hard bike-night
"""
_RECORDINGS = tuple(_NAMES.split())

CARD = Card(
    name="tumvie",
    title="TUM-VIE",
    about="walks, sports and a motion-capture room with a stereo pair of Prophesee Gen4 cameras",
    home="https://cvg.cit.tum.de/data/datasets/visual-inertial-event-dataset",
    licence="CC BY 4.0, unconfirmed",
    citation="Klenk et al., TUM-VIE: the TUM stereo visual-inertial event dataset, 2021",
    sensor=(1280, 720),
    splits={"left": len(_RECORDINGS), "right": len(_RECORDINGS)},
    target="none",
    files=tuple(
        File(f"{name}/{name}-events_{side}.h5", f"{_URL}/{name}/{name}-events_{side}.h5", "", side, name)
        for name in _RECORDINGS
        for side in ("left", "right")
    ),
    layout="<recording>/<recording>-events_left.h5, <recording>/<recording>-events_right.h5",
    folder="TUMVIE",
    index=recordings_in(
        rf"(?P<recording>{'|'.join(_RECORDINGS)})-events_(?P<side>left|right)\.h5", lambda found: found["side"]
    ),
    read=file_reader((1280, 720), "HDF5"),
)
