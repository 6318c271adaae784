"""N-Caltech101: the pictures of Caltech101 on a screen, seen by an ATIS that makes three saccades."""

from .card import Card, File
from .layout import classes_in_folders
from .reading import file_reader

_NAMES = """
accordion airplanes anchor ant BACKGROUND_Google barrel bass beaver binocular bonsai brain brontosaurus buddha
butterfly camera cannon car_side ceiling_fan cellphone chair chandelier cougar_body cougar_face crab crayfish
crocodile crocodile_head cup dalmatian dollar_bill dolphin dragonfly electric_guitar elephant emu euphonium ewer
Faces_easy ferry flamingo flamingo_head garfield gerenuk gramophone grand_piano hawksbill headphone hedgehog
helicopter ibis inline_skate joshua_tree kangaroo ketch lamp laptop Leopards llama lobster lotus mandolin mayfly
menorah metronome minaret Motorbikes nautilus octopus okapi pagoda panda pigeon pizza platypus pyramid revolver
rhino rooster saxophone schooner scissors scorpion sea_horse snoopy soccer_ball stapler starfish stegosaurus
stop_sign strawberry sunflower tick trilobite umbrella watch water_lilly wheelchair wild_cat windsor_chair wrench
yin_yang
"""
_CLASSES = tuple(_NAMES.split())

CARD = Card(
    name="ncaltech101",
    title="N-Caltech101",
    about="8,709 pictures of Caltech101 on a screen seen in three saccades, 0.3 s",
    home="https://www.garrickorchard.com/datasets/n-caltech101",
    licence="CC BY 4.0",
    citation="Orchard et al., Converting static image datasets to spiking neuromorphic datasets using saccades, 2015",
    sensor=(240, 180),
    classes=_CLASSES,
    splits={"train": None, "test": None},
    fractions={"train": 0.9, "test": 0.1},
    total=8_709,
    files=(
        File(
            "N-Caltech101-archive.zip",
            "https://data.mendeley.com/public-files/datasets/cy6cvx3ryv/files/36b5c52a-b49d-4853-addb-a836a8883e49/file_downloaded",
            "66201824eabb0239c7ab992480b50ba3",
        ),
    ),
    layout="Caltech101/<class>/image_<n>.bin",
    folder="NCALTECH101",
    index=classes_in_folders(r"Caltech101/(?P<label>[^/]+)/image_\d+\.bin", _CLASSES),
    read=file_reader((240, 180), "N-MNIST"),
)
