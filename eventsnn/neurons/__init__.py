"""The neuron models: one model, one file. `MODELS` lists them; being listed gives a model its forms, laws and
kernels."""

from . import (
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
from .coba_lif import CobaLIFFeedForwardState, CobaLIFParameters, CobaLIFState
from .iaf import IAFFeedForwardState, IAFParameters, IAFState
from .izhikevich import (
    IzhikevichParameters,
    IzhikevichRecurrentState,
    IzhikevichSpikingBehavior,
    IzhikevichState,
)
from .izhikevich_behaviours import (
    accomodation,
    bistability,
    class_1_exc,
    class_2_exc,
    create_izhikevich_spiking_behavior,
    dap,
    inhibition_induced_bursting,
    inhibition_induced_spiking,
    integrator,
    mixed_mode,
    phasic_bursting,
    phasic_spiking,
    rebound_burst,
    rebound_spike,
    resonator,
    spike_frequency_adaptation,
    spike_latency,
    subthreshold_oscillation,
    threshold_variability,
    tonic_bursting,
    tonic_spiking,
)
from .li import LIParameters, LIState
from .li_box import LIBoxParameters, LIBoxState
from .lif import LIFFeedForwardState, LIFParameters, LIFState
from .lif_adex import LIFAdExFeedForwardState, LIFAdExParameters, LIFAdExState
from .lif_adex_refrac import LIFAdExRefracFeedForwardState, LIFAdExRefracParameters, LIFAdExRefracState
from .lif_box import LIFBoxFeedForwardState, LIFBoxParameters, LIFBoxState, reset_subtract, reset_value
from .lif_ex import LIFExFeedForwardState, LIFExParameters, LIFExState
from .lif_refrac import LIFRefracFeedForwardState, LIFRefracParameters, LIFRefracState, compute_refractory_update
from .lsnn import LSNNFeedForwardState, LSNNParameters, LSNNState

MODELS = tuple(
    module.MODEL
    for module in (
        li, li_box, iaf, lif, lif_box, lif_refrac, lif_ex, lif_adex, lif_adex_refrac, lsnn, coba_lif, lif_mc,
        lif_mc_refrac, izhikevich,
    )
)  # fmt: skip

__all__ = [
    "CobaLIFFeedForwardState",
    "CobaLIFParameters",
    "CobaLIFState",
    "IAFFeedForwardState",
    "IAFParameters",
    "IAFState",
    "IzhikevichParameters",
    "IzhikevichRecurrentState",
    "IzhikevichSpikingBehavior",
    "IzhikevichState",
    "LIBoxParameters",
    "LIBoxState",
    "LIFAdExFeedForwardState",
    "LIFAdExParameters",
    "LIFAdExRefracFeedForwardState",
    "LIFAdExRefracParameters",
    "LIFAdExRefracState",
    "LIFAdExState",
    "LIFBoxFeedForwardState",
    "LIFBoxParameters",
    "LIFBoxState",
    "LIFExFeedForwardState",
    "LIFExParameters",
    "LIFExState",
    "LIFFeedForwardState",
    "LIFParameters",
    "LIFRefracFeedForwardState",
    "LIFRefracParameters",
    "LIFRefracState",
    "LIFState",
    "LIParameters",
    "LIState",
    "LSNNFeedForwardState",
    "LSNNParameters",
    "LSNNState",
    "accomodation",
    "bistability",
    "class_1_exc",
    "class_2_exc",
    "compute_refractory_update",
    "create_izhikevich_spiking_behavior",
    "dap",
    "inhibition_induced_bursting",
    "inhibition_induced_spiking",
    "integrator",
    "mixed_mode",
    "phasic_bursting",
    "phasic_spiking",
    "rebound_burst",
    "rebound_spike",
    "reset_subtract",
    "reset_value",
    "resonator",
    "spike_frequency_adaptation",
    "spike_latency",
    "subthreshold_oscillation",
    "threshold_variability",
    "tonic_bursting",
    "tonic_spiking",
]
