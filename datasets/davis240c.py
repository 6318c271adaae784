"""The event camera dataset of Zurich: office, outdoor and simple scenes before a DAVIS240C."""

from .card import Card, File
from .layout import recordings_in
from .reading import file_reader

_URL = "http://rpg.ifi.uzh.ch/datasets/davis/"
_RECORDINGS = {
    "boxes_6dof": "c919cebc25e564935abfc0a3954bf016",
    "boxes_rotation": "1ec1ef4f354ce1908ed091703c1f98d0",
    "boxes_translation": "4fd11a69015022c72b375a4d000ee8cd",
    "calibration": "6e67817c7b6d2e95ca5796e89d219bac",
    "dynamic_6dof": "16e8cb3b151da15ff1fe6019b517e695",
    "dynamic_rotation": "77a2b0a87582e10e702365a38dc0c93c",
    "dynamic_translation": "2db36fd0c2945cbace48735f0416c506",
    "hdr_boxes": "67661ed4b472189432e35e8849faf200",
    "hdr_poster": "b59e37b616a3eda81184183b12b0dce5",
    "office_spiral": "60fe934450c558aff90ff5ba6b370a05",
    "office_zigzag": "3eba8fc8f42adbfd394b630852ce1f78",
    "outdoors_running": "7db2de811cb22b71fa34abd4ab1bba6b",
    "outdoors_walking": "2ef9b03c87d3c565d30211b7dcfaabc5",
    "poster_6dof": "e42ef11f523a52f11921cdb4a0fca231",
    "poster_rotation": "abcd843a894546775e5dda3560979edf",
    "poster_translation": "bb6736c56ff38f07cbe72613b72d25ed",
    "shapes_6dof": "9b9495ace2dd82881bcc5c0620dd595f",
    "shapes_rotation": "ee436cfe74b545fa25a2534f3ef021df",
    "shapes_translation": "2a805ba32671b237e4e13c023f276be9",
    "slider_close": "9426bbb70334c7b849dd5dd38eb7f2a9",
    "slider_depth": "b38a7a373f170f4b6aeca4f36e06f71a",
    "slider_far": "0f341da6aec0fd1801129e3d3a9981fa",
    "slider_hdr_close": "34cc10dd212ca1fddd3a8584046d5d1c",
    "slider_hdr_far": "c310f4f2d62cdf7b8d1c0a49315fb253",
    "urban": "c22db0b3ecbcbba8d282b0d8c3393851",
}

CARD = Card(
    name="davis240c",
    title="Davis240C",
    about="office, outdoor and simple scenes before a DAVIS240C",
    home="http://rpg.ifi.uzh.ch/davis_data.html",
    licence="CC BY-NC-SA 3.0, unconfirmed",
    citation="Mueggler et al., The event-camera dataset and simulator, 2017",
    sensor=(240, 180),
    splits={"all": len(_RECORDINGS)},
    target="none",
    files=tuple(File(f"{name}.bag", f"{_URL}{name}.bag", md5, "all", name) for name, md5 in _RECORDINGS.items()),
    layout="<recording>.bag or <recording>/events.txt",
    folder="DAVISDATA",
    index=recordings_in(rf"(?P<recording>{'|'.join(_RECORDINGS)})(?:\.bag|/events\.txt)", lambda found: "all"),
    read=file_reader((240, 180)),
)
