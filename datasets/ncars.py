"""N-CARS: cars and background cut from drives through town with an ATIS."""

from .card import Card, File
from .layout import classes_in_folders
from .reading import file_reader

_CLASSES = ("background", "cars")

CARD = Card(
    name="ncars",
    title="N-CARS",
    about="cars and background cut from drives with an ATIS, 0.1 s",
    home="https://www.prophesee.ai/2018/03/13/dataset-n-cars/",
    licence="Prophesee's terms, unconfirmed",
    citation="Sironi et al., HATS: histograms of averaged time surfaces for event-based object classification, 2018",
    sensor=(120, 100),
    classes=_CLASSES,
    splits={"train": 15_422, "test": 8_607},
    files=(File("Prophesee_Dataset_n_cars.zip", "https://www.prophesee.ai/2018/03/13/dataset-n-cars/", by_hand=True),),
    layout="n-cars_train/<class>/obj_<n>_td.dat, n-cars_test/<class>/obj_<n>_td.dat",
    folder="NCARS",
    index=classes_in_folders(
        r"n-cars_(?P<split>train|test)/(?P<label>background|cars)/[^/]+\.dat",
        _CLASSES,
        {"train": "train", "test": "test"},
    ),
    read=file_reader((120, 100), "DAT"),
)
