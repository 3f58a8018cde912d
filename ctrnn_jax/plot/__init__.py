"""Figures: axes in, axes out, readable in print and for the colour-blind.

Every `plot_*` function draws into the axes given as `ax`, or into new ones, and
returns them. None shows a window, writes a file or changes a matplotlib setting.
Neurons are numbered from 0, as the columns of `ys`; time is in units of `tau`, states
and energies are dimensionless.
"""

from ._animation import animate_phase_portrait, save_animation
from ._branch import plot_branch
from ._chaos_indicators import plot_chaos_indicators
from ._drift import plot_drift
from ._ensemble_fan import plot_ensemble_fan
from ._fixed_points import plot_fixed_points
from ._frequencies import plot_frequencies
from ._frequency_map import plot_frequency_map
from ._gradient_norms import plot_gradient_norms
from ._kind_maps import plot_bifurcation_diagram, plot_phase_diagram
from ._learning_curve import plot_learning_curve
from ._level_sets import plot_level_sets
from ._lyapunov import plot_lyapunov_convergence, plot_lyapunov_spectrum
from ._memory_capacity import plot_memory_capacity
from ._multipliers import plot_multipliers
from ._phase_portrait import plot_phase_portrait
from ._score_against_delay import plot_score_against_delay
from ._section import plot_section
from ._spectrum import plot_spectrum
from ._style import OKABE_ITO
from ._sweep_facets import plot_sweep, plot_sweep_facets
from ._sweep_lines import plot_sweep_lines
from ._sweep_map import plot_sweep_map
from ._time_series import plot_time_series
from ._vector_field import plot_vector_field
from ._work_precision import plot_work_precision

__all__ = [
    "OKABE_ITO",
    "animate_phase_portrait",
    "plot_bifurcation_diagram",
    "plot_branch",
    "plot_chaos_indicators",
    "plot_drift",
    "plot_ensemble_fan",
    "plot_fixed_points",
    "plot_frequencies",
    "plot_frequency_map",
    "plot_gradient_norms",
    "plot_learning_curve",
    "plot_level_sets",
    "plot_lyapunov_convergence",
    "plot_lyapunov_spectrum",
    "plot_memory_capacity",
    "plot_multipliers",
    "plot_phase_diagram",
    "plot_phase_portrait",
    "plot_score_against_delay",
    "plot_section",
    "plot_spectrum",
    "plot_sweep",
    "plot_sweep_facets",
    "plot_sweep_lines",
    "plot_sweep_map",
    "plot_time_series",
    "plot_vector_field",
    "plot_work_precision",
    "save_animation",
]
