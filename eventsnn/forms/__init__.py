"""The forms of every neuron model: Cell, Layer over time, RecurrentCell, recurrent Layer."""

from ..neurons import (
    coba_lif,
    iaf,
    izhikevich,
    li,
    li_box,
    lif,
    lif_adex,
    lif_adex_refrac,
    lif_box,
    lif_ex,
    lif_mc,
    lif_mc_refrac,
    lif_refrac,
    lsnn,
)
from .build import form, four_forms
from .modules import SNN, SNNCell, SNNRecurrent, SNNRecurrentCell
from .parameters import norse_state_dict

LICell, LI, LIRecurrentCell, LIRecurrent = four_forms(li.MODEL)
LIBoxCell, LIBox, LIBoxRecurrentCell, LIBoxRecurrent = four_forms(li_box.MODEL)
IAFCell, IAF, IAFRecurrentCell, IAFRecurrent = four_forms(iaf.MODEL)
LIFCell, LIF, LIFRecurrentCell, LIFRecurrent = four_forms(lif.MODEL)
LIFBoxCell, LIFBox, LIFBoxRecurrentCell, LIFBoxRecurrent = four_forms(lif_box.MODEL)
LIFRefracCell, LIFRefrac, LIFRefracRecurrentCell, LIFRefracRecurrent = four_forms(lif_refrac.MODEL)
LIFExCell, LIFEx, LIFExRecurrentCell, LIFExRecurrent = four_forms(lif_ex.MODEL)
LIFAdExCell, LIFAdEx, LIFAdExRecurrentCell, LIFAdExRecurrent = four_forms(lif_adex.MODEL)
LIFAdExRefracCell, LIFAdExRefrac, LIFAdExRefracRecurrentCell, LIFAdExRefracRecurrent = four_forms(lif_adex_refrac.MODEL)
LSNNCell, LSNN, LSNNRecurrentCell, LSNNRecurrent = four_forms(lsnn.MODEL)
CobaLIFFeedForwardCell, CobaLIF, CobaLIFRecurrentCell, CobaLIFRecurrent = four_forms(coba_lif.MODEL)
LIFMCCell, LIFMC, LIFMCRecurrentCell, LIFMCRecurrent = four_forms(lif_mc.MODEL)
LIFMCRefracCell, LIFMCRefrac, LIFMCRefracRecurrentCell, LIFMCRefracRecurrent = four_forms(lif_mc_refrac.MODEL)
IzhikevichCell, Izhikevich, IzhikevichRecurrentCell, IzhikevichRecurrent = four_forms(izhikevich.MODEL)
CobaLIFCell = CobaLIFRecurrentCell
LILinearCell = form(li.MODEL, SNNCell, "LILinearCell", True)
LILinear = form(li.MODEL, SNN, "LILinear", True)

__all__ = [
    "IAF",
    "LI",
    "LIF",
    "LIFMC",
    "LSNN",
    "SNN",
    "CobaLIF",
    "CobaLIFCell",
    "CobaLIFFeedForwardCell",
    "CobaLIFRecurrent",
    "CobaLIFRecurrentCell",
    "IAFCell",
    "IAFRecurrent",
    "IAFRecurrentCell",
    "Izhikevich",
    "IzhikevichCell",
    "IzhikevichRecurrent",
    "IzhikevichRecurrentCell",
    "LIBox",
    "LIBoxCell",
    "LIBoxRecurrent",
    "LIBoxRecurrentCell",
    "LICell",
    "LIFAdEx",
    "LIFAdExCell",
    "LIFAdExRecurrent",
    "LIFAdExRecurrentCell",
    "LIFAdExRefrac",
    "LIFAdExRefracCell",
    "LIFAdExRefracRecurrent",
    "LIFAdExRefracRecurrentCell",
    "LIFBox",
    "LIFBoxCell",
    "LIFBoxRecurrent",
    "LIFBoxRecurrentCell",
    "LIFCell",
    "LIFEx",
    "LIFExCell",
    "LIFExRecurrent",
    "LIFExRecurrentCell",
    "LIFMCCell",
    "LIFMCRecurrent",
    "LIFMCRecurrentCell",
    "LIFMCRefrac",
    "LIFMCRefracCell",
    "LIFMCRefracRecurrent",
    "LIFMCRefracRecurrentCell",
    "LIFRecurrent",
    "LIFRecurrentCell",
    "LIFRefrac",
    "LIFRefracCell",
    "LIFRefracRecurrent",
    "LIFRefracRecurrentCell",
    "LILinear",
    "LILinearCell",
    "LIRecurrent",
    "LIRecurrentCell",
    "LSNNCell",
    "LSNNRecurrent",
    "LSNNRecurrentCell",
    "SNNCell",
    "SNNRecurrent",
    "SNNRecurrentCell",
    "norse_state_dict",
]
