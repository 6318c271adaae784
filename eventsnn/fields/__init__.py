"""Scale-space receptive fields: kernels, spatial, temporal and spatio-temporal."""

from .bank import spatial_receptive_field, spatial_receptive_fields_with_derivatives
from .derivatives import (
    calculate_normalization,
    derive_kernel,
    derive_spatial_receptive_field,
    derive_spatial_receptive_field_single,
)
from .impulse import temporal_kernel
from .kernels import covariance_matrix, gaussian_kernel, truncation_radius
from .parameters import derivative_orders, spatial_parameters, spatio_temporal_parameters
from .scales import temporal_scale_distribution
from .spatial import (
    ParameterizedSpatialReceptiveField2d,
    SampledSpatialReceptiveField2d,
    SpatialReceptiveField2d,
)
from .spatiotemporal import MovingState, SpatioTemporalReceptiveField2d
from .temporal import TemporalReceptiveField

__all__ = [
    "MovingState",
    "ParameterizedSpatialReceptiveField2d",
    "SampledSpatialReceptiveField2d",
    "SpatialReceptiveField2d",
    "SpatioTemporalReceptiveField2d",
    "TemporalReceptiveField",
    "calculate_normalization",
    "covariance_matrix",
    "derivative_orders",
    "derive_kernel",
    "derive_spatial_receptive_field",
    "derive_spatial_receptive_field_single",
    "gaussian_kernel",
    "spatial_parameters",
    "spatial_receptive_field",
    "spatial_receptive_fields_with_derivatives",
    "spatio_temporal_parameters",
    "temporal_kernel",
    "temporal_scale_distribution",
    "truncation_radius",
]
