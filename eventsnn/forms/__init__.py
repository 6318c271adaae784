"""The forms of every neuron model: Cell, Layer over time, RecurrentCell, recurrent Layer."""

from .. import neurons
from .build import form, four_forms
from .modules import SNN, SNNCell, SNNRecurrent, SNNRecurrentCell
from .parameters import norse_state_dict

LICell, LI, LIRecurrentCell, LIRecurrent = four_forms(neurons.li.MODEL)
LIBoxCell, LIBox, LIBoxRecurrentCell, LIBoxRecurrent = four_forms(neurons.li_box.MODEL)
IAFCell, IAF, IAFRecurrentCell, IAFRecurrent = four_forms(neurons.iaf.MODEL)
LIFCell, LIF, LIFRecurrentCell, LIFRecurrent = four_forms(neurons.lif.MODEL)
LIFBoxCell, LIFBox, LIFBoxRecurrentCell, LIFBoxRecurrent = four_forms(neurons.lif_box.MODEL)
LIFRefracCell, LIFRefrac, LIFRefracRecurrentCell, LIFRefracRecurrent = four_forms(neurons.lif_refrac.MODEL)
LIFExCell, LIFEx, LIFExRecurrentCell, LIFExRecurrent = four_forms(neurons.lif_ex.MODEL)
LIFAdExCell, LIFAdEx, LIFAdExRecurrentCell, LIFAdExRecurrent = four_forms(neurons.lif_adex.MODEL)
LIFAdExRefracCell, LIFAdExRefrac, LIFAdExRefracRecurrentCell, LIFAdExRefracRecurrent = four_forms(
    neurons.lif_adex_refrac.MODEL
)
LSNNCell, LSNN, LSNNRecurrentCell, LSNNRecurrent = four_forms(neurons.lsnn.MODEL)
CobaLIFFeedForwardCell, CobaLIF, CobaLIFRecurrentCell, CobaLIFRecurrent = four_forms(neurons.coba_lif.MODEL)
LIFMCCell, LIFMC, LIFMCRecurrentCell, LIFMCRecurrent = four_forms(neurons.lif_mc.MODEL)
LIFMCRefracCell, LIFMCRefrac, LIFMCRefracRecurrentCell, LIFMCRefracRecurrent = four_forms(neurons.lif_mc_refrac.MODEL)
IzhikevichCell, Izhikevich, IzhikevichRecurrentCell, IzhikevichRecurrent = four_forms(neurons.izhikevich.MODEL)
CobaLIFCell = CobaLIFRecurrentCell
LILinearCell = form(neurons.li.MODEL, SNNCell, "LILinearCell", True)
LILinear = form(neurons.li.MODEL, SNN, "LILinear", True)

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
