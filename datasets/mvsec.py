"""MVSEC: flying, driving and riding with two DAVIS346; the events of the left camera. The scenes are the splits."""

from .card import Card, File
from .layout import recordings_in
from .reading import file_reader

_URL = "http://visiondata.cis.upenn.edu/mvsec/"
_SCENES = {
    "indoor_flying": {
        "indoor_flying1": "fd01f35eb52a754e8195d478ed2a00a2",
        "indoor_flying2": "015ac75086b248167e9602b72485e0eb",
        "indoor_flying3": "fda3408d3c72b2d7445540e5bdbd6396",
        "indoor_flying4": "30ba3a744dcd4408fc4102e88c636acc",
    },
    "outdoor_day": {
        "outdoor_day1": "7438c34b71d08ff38f52cef68834e9be",
        "outdoor_day2": "536d20bc59720b995df49f925f96b74d",
    },
    "outdoor_night": {
        "outdoor_night1": "534bea503649eeb2801316704d6ab041",
        "outdoor_night2": "371ff73324ba94ecb368b4c220dc8e54",
        "outdoor_night3": "fc40889a48de7b28e6e2506125b229ac",
    },
    "motorcycle": {"motorcycle": "ae1d929563c63c4d15e0e3d3412d41c4"},
}

CARD = Card(
    name="mvsec",
    title="MVSEC",
    about="flying, driving and riding with a stereo pair of DAVIS346",
    home="https://daniilidis-group.github.io/mvsec/",
    licence="unknown",
    citation="Zhu et al., The multivehicle stereo event camera dataset, 2018",
    sensor=(346, 260),
    splits={scene: len(recordings) for scene, recordings in _SCENES.items()},
    target="none",
    files=tuple(
        File(f"{scene}/{name}_data.bag", f"{_URL}{scene}/{name}_data.bag", md5, scene, name)
        for scene, recordings in _SCENES.items()
        for name, md5 in recordings.items()
    ),
    layout="<scene>/<recording>_data.bag or <recording>_data.hdf5",
    folder="MVSEC",
    index=recordings_in(
        r"(?P<recording>(?P<scene>indoor_flying|outdoor_day|outdoor_night|motorcycle)\d?)_data\.(?:bag|hdf5)",
        lambda found: found["scene"],
    ),
    read=file_reader((346, 260)),
)
