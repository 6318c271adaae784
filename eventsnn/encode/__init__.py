"""Values to spikes, and back: every encoder and decoder as a function and as a module.

Input of any shape S (signals `[T, *S]`), any device and floating dtype; integers and booleans are cast to torch's
default dtype. Output time first, `[T, *S]`, in the input's dtype and on its device. Nothing is kept between calls.

>>> import torch
>>> encoder = PoissonEncoder(seq_length=5, f_max=1000)
>>> encoder(torch.ones(2, 3)).shape
torch.Size([5, 2, 3])
"""

from .contrast import (
    ContrastDecoder,
    DeltaEncoder,
    MovingWindowDecoder,
    MovingWindowEncoder,
    StepForwardEncoder,
    contrast_decode,
    delta_encode,
    moving_window_decode,
    moving_window_encode,
    step_forward_encode,
)
from .current import lif_adex_current_encoder, lif_current_encoder, lif_ex_current_encoder
from .decode import (
    FirstSpikeDecoder,
    RateDecoder,
    SpikesToTimesDecoder,
    first_spike_decode,
    rate_decode,
    spikes_to_times,
)
from .latency import SpikeLatencyEncoder, spike_latency_encode
from .lif import (
    ConstantCurrentLIFEncoder,
    SpikeLatencyLIFEncoder,
    constant_current_lif_encode,
    spike_latency_lif_encode,
)
from .phase import PhaseDecoder, PhaseEncoder, phase_decode, phase_encode
from .poisson import (
    PoissonEncoder,
    PoissonEncoderStep,
    SignedPoissonEncoder,
    SignedPoissonEncoderStep,
    poisson_encode,
    poisson_encode_step,
    signed_poisson_encode,
    signed_poisson_encode_step,
)
from .population import PopulationEncoder, euclidean_distance, gaussian_rbf, population_encode
from .rank import RankOrderDecoder, RankOrderEncoder, rank_order_decode, rank_order_encode
from .ttfs import TTFSDecoder, TTFSEncoder, ttfs_decode, ttfs_encode

__all__ = [
    "ConstantCurrentLIFEncoder",
    "ContrastDecoder",
    "DeltaEncoder",
    "FirstSpikeDecoder",
    "MovingWindowDecoder",
    "MovingWindowEncoder",
    "PhaseDecoder",
    "PhaseEncoder",
    "PoissonEncoder",
    "PoissonEncoderStep",
    "PopulationEncoder",
    "RankOrderDecoder",
    "RankOrderEncoder",
    "RateDecoder",
    "SignedPoissonEncoder",
    "SignedPoissonEncoderStep",
    "SpikeLatencyEncoder",
    "SpikeLatencyLIFEncoder",
    "SpikesToTimesDecoder",
    "StepForwardEncoder",
    "TTFSDecoder",
    "TTFSEncoder",
    "constant_current_lif_encode",
    "contrast_decode",
    "delta_encode",
    "euclidean_distance",
    "first_spike_decode",
    "gaussian_rbf",
    "lif_adex_current_encoder",
    "lif_current_encoder",
    "lif_ex_current_encoder",
    "moving_window_decode",
    "moving_window_encode",
    "phase_decode",
    "phase_encode",
    "poisson_encode",
    "poisson_encode_step",
    "population_encode",
    "rank_order_decode",
    "rank_order_encode",
    "rate_decode",
    "signed_poisson_encode",
    "signed_poisson_encode_step",
    "spike_latency_encode",
    "spike_latency_lif_encode",
    "spikes_to_times",
    "step_forward_encode",
    "ttfs_decode",
    "ttfs_encode",
]
