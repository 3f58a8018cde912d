"""The answer to "what is this orbit?", in numbers and in words."""

import equinox as eqx
import jax
import numpy as np

from .._types import Array, Float, Int
from ..matrices._checks import is_concrete
from ._status import OUTCOMES
from ._verdict import DIVERGING, DYING, ORBIT_KINDS, REASONS


class OrbitClass(eqx.Module):
    r"""What [`classify_orbit`][ctrnn_jax.analysis.classify_orbit] returns.

    Shapes are those of one orbit; from `classify_orbits` all arrays lead with the
    batch. Rates are per unit of `tau`.

    - `code`: index into `ORBIT_KINDS`; `.kind` is the string.
    - `reason`: why it is undecided, an index that `.why` puts into words.
    - `exponent`, `exponent_error`: growth rate of a tangent vector after the first
      quarter, an estimate of the largest Lyapunov exponent, and its standard error.
      On a regular orbit it falls like ln(t)/t.
    - `megno`: mean MEGNO; 0 or 2 on regular orbits, half the exponent times the
      duration on chaotic ones.
    - `angular_frequency`, `amplitude`: strongest lines of the last stretch, shape
      `(k,)`, 0 where there were fewer.
    - `frequency_drift`: relative difference of the lines between both ends of the
      record, weighted by amplitude.
    - `unexplained`: what those lines leave of the signals, as a fraction of their
      root mean square.
    - `num_independent`: independent frequencies among the lines, at most 4.
    - `period`: time of the closest return over the number of periods in it; infinite
      if there was no return.
    - `closest_return`: its distance in sizes of the orbit; infinite likewise.
    - `relation_residual`: how far the lines are from multiples of one frequency, in
      units of it; infinite likewise.
    - `oscillations`: of the strongest line, in the record.
    - `decay_rate`: slope of ln(speed) over the second half; negative if dying.
    - `escape_time`: time after which |y| passed `escape_radius`; infinite if never.
    - `size`: root mean square distance from the mean, in the first half.
    - `energy_drift`: largest relative change of the energy where the field conserves
      one, else `None`.
    - `result`: `successful`; `too_short` where undecided; `nonfinite`.
    """

    code: Int[Array, "*batch"]
    reason: Int[Array, "*batch"]
    exponent: Float[Array, "*batch"]
    exponent_error: Float[Array, "*batch"]
    megno: Float[Array, "*batch"]
    angular_frequency: Float[Array, "*batch k"]
    amplitude: Float[Array, "*batch k"]
    frequency_drift: Float[Array, "*batch"]
    unexplained: Float[Array, "*batch"]
    num_independent: Int[Array, "*batch"]
    relation_residual: Float[Array, "*batch"]
    period: Float[Array, "*batch"]
    closest_return: Float[Array, "*batch"]
    oscillations: Float[Array, "*batch"]
    decay_rate: Float[Array, "*batch"]
    escape_time: Float[Array, "*batch"]
    size: Float[Array, "*batch"]
    energy_drift: Float[Array, "*batch"] | None
    result: OUTCOMES

    @property
    def kind(self) -> str:
        """One of `ORBIT_KINDS`, of one orbit and outside JAX transforms."""
        return str(self._one().kinds)

    @property
    def kinds(self) -> np.ndarray:
        """The kinds of a batch, an array of strings of its shape."""
        # Of one orbit too an array, where indexing alone would give a scalar.
        return np.asarray(np.asarray(ORBIT_KINDS)[np.asarray(self.code)])

    @property
    def why(self) -> str:
        """Why one orbit is undecided, in words; empty if it is not."""
        return REASONS[int(self._one().reason)]

    def __getitem__(self, index: int) -> "OrbitClass":
        """Return one orbit of a batch."""
        return jax.tree.map(lambda leaf: leaf[index], self)

    def __str__(self) -> str:
        if not is_concrete(self.code):
            return repr(self)
        if np.ndim(self.code):
            names, counts = np.unique(self.kinds, return_counts=True)
            parts = (f"{c} {name}" for name, c in zip(names, counts, strict=True))
            return f"{np.size(self.code)} orbits: " + ", ".join(parts) + "."
        return _in_words(self)

    def _one(self) -> "OrbitClass":
        if not is_concrete(self.code):
            raise ValueError("Words need numbers: use .code under a JAX transform.")
        if np.ndim(self.code):
            raise ValueError(
                "This is a batch: use .kinds, or .kind of one orbit, result[i]."
            )
        return self


def _in_words(orbit: OrbitClass) -> str:
    """Return one paragraph: the verdict, then the evidence for and against."""
    parts = [f"{orbit.kind.capitalize()}"]
    if orbit.why:
        parts[0] += f": {orbit.why}"
    if np.isfinite(orbit.escape_time):
        parts.append(f"Left the escape radius after t = {orbit.escape_time:.4g}")
        return ". ".join(parts) + "."
    parts.append(
        f"Largest exponent {orbit.exponent:.3g} ± {orbit.exponent_error:.1g}, mean "
        f"MEGNO {orbit.megno:.3g}"
    )
    if int(orbit.code) in (DYING, DIVERGING):
        parts.append(f"Speed changes at a rate of {orbit.decay_rate:.3g}")
    lines = np.asarray(orbit.angular_frequency)
    if lines[0] > 0:
        shown = ", ".join(f"{value:.9g}" for value in lines[lines > 0][:3])
        parts.append(
            f"Strongest angular frequencies {shown}, {int(orbit.num_independent)} "
            f"independent; between both ends of the record they differ by "
            f"{orbit.frequency_drift:.1e} and leave {orbit.unexplained:.1e} of the "
            f"signal, over {orbit.oscillations:.0f} oscillations"
        )
    if np.isfinite(orbit.closest_return):
        parts.append(
            f"Closest return {orbit.closest_return:.1e} of its size, period "
            f"{orbit.period:.9g}, lines off its multiples by "
            f"{orbit.relation_residual:.1e}"
        )
    if orbit.energy_drift is not None:
        parts.append(f"Relative energy drift {orbit.energy_drift:.1e}")
    return ". ".join(parts) + "."
