"""Branches of periodic orbits: over a parameter, or over the energy."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, Bool, Float, PyTree, Scalar
from ..matrices._checks import check_integer
from ._arclength import Path, Place, follow
from ._bifurcation import Bifurcation, distinct, name_special
from ._branch_options import BranchOptions, check_options
from ._conserved import Conserved, levels_and_gradients, resolve
from ._orbit_system import (
    OrbitSystem,
    Phase,
    check_orbit,
    correct_orbit,
    from_hopf,
    from_orbit,
    sample_orbit,
)
from ._periodic_orbit import PeriodicOrbit
from ._segments import Rhs, autonomous, default_tolerance, family_rhs, half_range
from ._shooting import Unknowns
from ._status import OUTCOMES

#: Samples of each orbit, at least.
_SAMPLES = 240


class OrbitBranch(eqx.Module):
    r"""Periodic orbits along a branch, N of them, in order.

    - `parameters`: shape `(N,)`: of the family, or the energy.
    - `periods`: T, shape `(N,)`.
    - `nodes`: states T/m apart, shape `(N, m, n)`.
    - `ys`: each orbit over its period, evenly spaced, both ends included, shape
      `(N, s, n)` with s − 1 = 240 or the least multiple of m above it.
    - `multipliers`: the nontrivial Floquet multipliers, complex, greatest modulus
      first, shape `(N, n − 1 − k)` with k conserved quantities.
    - `trivial_error`: how far the others are from 1, shape `(N,)`.
    - `stable`: whether all nontrivial multipliers are inside the unit circle, `(N,)`;
      never so in a conservative family.
    - `bifurcations`: a tuple of [`Bifurcation`][ctrnn_jax.analysis.Bifurcation].
    - `result`: `successful`, also where a bound ended the branch; `step_underflow`;
      `not_converged` if the start is no orbit of the family (N = 0 then).
    """

    parameters: Float[Array, " N"]
    periods: Float[Array, " N"]
    nodes: Float[Array, "N m n"]
    ys: Float[Array, "N s n"]
    multipliers: Array
    trivial_error: Float[Array, " N"]
    stable: Bool[Array, " N"]
    bifurcations: tuple[Bifurcation, ...] = eqx.field(static=True)
    result: OUTCOMES

    @property
    def amplitudes(self) -> Float[Array, "N n"]:
        """Half the range of each neuron, shape `(N, n)`; parabolas at the peaks."""
        return jax.vmap(half_range)(self.ys)

    @property
    def angular_frequencies(self) -> Float[Array, " N"]:
        """2π/T, shape `(N,)`, in radians per unit time."""
        return 2 * jnp.pi / self.periods


@full_precision
def continue_orbits(
    family: Callable,
    start: PeriodicOrbit | Bifurcation,
    parameter: float | None = None,
    *,
    inputs: PyTree = None,
    conserved: Conserved = (),
    mode: int = 0,
    num_segments: int = 4,
    direction: int = 1,
    num_points: int = 100,
    step: float = 0.05,
    min_step: float = 1e-5,
    max_step: float = 0.5,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    max_period: float = np.inf,
    tolerance: float | None = None,
) -> OrbitBranch:
    r"""Follow a branch of periodic orbits over a parameter, or from a Hopf point.

    Pseudo-arclength continuation of the shooting equations: folds are passed, branch
    points, period doublings and torus bifurcations are located on the way.

    **Arguments:**

    - `family`: a function of one scalar parameter that returns a field.
    - `start`: an orbit of the field at `parameter`, as `find_periodic_orbit` returns
      it; or a Hopf point that `continue_fixed_points` found, from which the branch
      leaves with amplitude `step`.
    - `parameter`: where to start from an orbit.
    - `inputs`: the fields' `args`, constant in time.
    - `conserved`: quantities that every field of the family conserves; their levels
      are held. None by default.
    - `mode`: which of the Hopf point's `angular_frequencies` to follow.
    - `num_segments`: m, from a Hopf point; an orbit keeps its own.
    - `direction`: 1 to start towards greater parameters, −1 towards smaller.
    - `num_points`: orbits on the branch, at most.
    - `step`, `min_step`, `max_step`: arclength in (y, T, parameter), where y counts by
      the root mean square over the nodes.
    - `bounds`: parameters at which the branch ends.
    - `max_period`: the branch ends with a longer period, as before a homoclinic orbit.
    - `tolerance`: of the integration; by default eps^(3/4).

    **Returns:** an [`OrbitBranch`][ctrnn_jax.analysis.OrbitBranch]. Special points are
    located to about 1e-8 in the parameter.

    **Cost:** one compilation; a few evaluations a point, each a solve of n(n + 2)
    equations over the period. Runs on the host, not under `jit`.

    **Raises:** `ValueError` for a bad argument.

    **Reference:** Doedel, Keller and Kernévez (1991), Int. J. Bifurcation and Chaos 1,
    745; Kuznetsov (2004), Elements of Applied Bifurcation Theory, chapter 10.
    """
    options = check_options(
        family, num_points, step, min_step, max_step, bounds, direction
    )
    functions = resolve(conserved, lambda *_: None, inputs)
    if isinstance(start, Bifurcation):
        num_segments = check_integer(
            "num_segments", num_segments, minimum=1, maximum=10**4
        )
        unknowns, tangent, phase = from_hopf(
            family, start, inputs, len(functions), mode, num_segments
        )
    else:
        check_orbit(start)
        if parameter is None:
            raise ValueError("Give the parameter that the starting orbit belongs to.")
        unknowns, tangent = from_orbit(start, parameter, len(functions)), None
        phase = _phase(family_rhs(family, inputs), unknowns)
    levels, _ = levels_and_gradients(functions, unknowns.nodes[0])
    system = OrbitSystem(family, inputs, functions, levels, None, unknowns, phase)
    return _follow(system, tangent, options, max_period, tolerance)


@full_precision
def continue_orbits_in_energy(
    field: Callable,
    start: PeriodicOrbit,
    *,
    inputs: PyTree = None,
    conserved: Conserved = None,
    which: int = 0,
    direction: int = 1,
    num_points: int = 100,
    step: float = 0.05,
    min_step: float = 1e-5,
    max_step: float = 0.5,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    max_period: float = np.inf,
    tolerance: float | None = None,
) -> OrbitBranch:
    r"""Follow the family of a conservative field's periodic orbits in its energy.

    Orbits of a centre form families T(E): here the energy is the parameter and the
    other conserved quantities, the Casimirs, are held.

    **Arguments:** as [`continue_orbits`][ctrnn_jax.analysis.continue_orbits], and

    - `field`: the model or `f(t, y, args)` itself.
    - `conserved`: by default what `conserved_quantities(field)` returns, the energy
      first; for a function, give `[H, ...]`.
    - `which`: the conserved quantity that is the parameter.

    **Returns:** an [`OrbitBranch`][ctrnn_jax.analysis.OrbitBranch] whose `parameters`
    are energies.

    **Raises:** `ValueError` for a bad argument, or where nothing is conserved.

    **Reference:** Muñoz-Almaraz, Freire, Galán, Doedel and Vanderbauwhede (2003),
    Physica D 181.
    """
    options = check_options(
        field, num_points, step, min_step, max_step, bounds, direction
    )
    functions = resolve(conserved, field, inputs)
    if not functions:
        raise ValueError(
            "The field conserves nothing that is known, so its orbits do not come in "
            "a family of one energy. Give conserved=[H], or use continue_orbits."
        )
    which = check_integer("which", which, minimum=0, maximum=len(functions) - 1)
    check_orbit(start)
    levels, _ = levels_and_gradients(functions, start.nodes[0])
    unknowns = from_orbit(start, float(levels[which]), len(functions))
    phase = _phase(autonomous(field, inputs), unknowns)
    system = OrbitSystem(field, inputs, functions, levels, which, unknowns, phase)
    return _follow(system, None, options, max_period, tolerance)


def _phase(rhs: Rhs, unknowns: Unknowns) -> Phase:
    first = unknowns.nodes[0]
    return first, rhs(first, unknowns.parameters)


def _follow(
    system: OrbitSystem,
    tangent: np.ndarray | None,
    options: BranchOptions,
    max_period: float,
    tolerance: float | None,
) -> OrbitBranch:
    like = system.like
    count, size = like.nodes.shape
    dtype = like.nodes.dtype
    local = default_tolerance(dtype) if tolerance is None else tolerance
    local = jnp.asarray(local, dtype)
    w = np.asarray(like.flat())
    weights = np.ones_like(w)
    weights[: count * size] = 1 / count

    def period_of(place: Place) -> Scalar:
        return like.like(jnp.asarray(place.w)).period

    def corrector(
        predicted: np.ndarray, tangent: np.ndarray, before: Place | None
    ) -> Place | None:
        phase = system.phase if before is None else before.extra.phase
        unknowns = jnp.asarray(predicted)
        if not like.like(unknowns).period > 0:
            return None
        found = correct_orbit(
            system,
            unknowns,
            jnp.asarray(tangent),
            phase,
            jnp.asarray(weights),
            local,
        )
        return found.place() if bool(found.point.converged) else None

    if tangent is None:
        # The parameter is held while the start is corrected.
        held = np.append(np.zeros(w.size - 1), 1.0).astype(w.dtype)
        first = corrector(w, held, None)
        if first is not None and first.tangent[-1] * options.direction < 0:
            first = first.reversed()
    else:
        across = tangent / np.sqrt(np.dot(weights, tangent**2))
        first = corrector(w + options.steps["step"] * across, across, None)
    path = Path([], [], OUTCOMES.not_converged)
    if first is not None:
        path = follow(
            corrector,
            first,
            weights,
            ended=lambda place: bool(period_of(place) > max_period),
            **options.steps,
        )
    per_node = -(-_SAMPLES // count)
    ys = [sample_orbit(system, jnp.asarray(p.w), local, per_node) for p in path.places]
    return _as_branch(path, system, ys, count * per_node + 1)


def _as_branch(
    path: Path, system: OrbitSystem, ys: list[Array], samples: int
) -> OrbitBranch:
    like = system.like
    size, dtype = like.nodes.shape[1], like.nodes.dtype
    ws = np.array([place.w for place in path.places], dtype)
    ws = ws.reshape(len(path.places), like.flat().size)
    logs = [place.rates for place in path.places]
    logs = np.array(logs, np.result_type(dtype, np.complex64))
    logs = logs.reshape(len(path.places), size - 1 - len(system.conserved))
    unknowns = [like.like(jnp.asarray(w)) for w in ws]
    nodes = np.array([one.nodes for one in unknowns], dtype)
    found = []
    for special in path.special:
        kind, angles = name_special(special, is_orbit=True)
        orbit = like.like(jnp.asarray(special.place.w))
        found.append(
            Bifurcation(
                kind=kind,
                parameter=special.place.parameter,
                point=np.asarray(orbit.nodes[0]),
                period=float(orbit.period),
                angular_frequencies=angles,
                direction=np.full(size, np.nan),
                index=special.before,
            )
        )
    errors = [place.extra.trivial_error for place in path.places]
    return OrbitBranch(
        parameters=jnp.asarray(ws[:, -1]),
        periods=jnp.asarray(np.array([one.period for one in unknowns], dtype)),
        nodes=jnp.asarray(nodes.reshape(-1, *like.nodes.shape)),
        ys=jnp.asarray(np.array(ys, dtype).reshape(-1, samples, size)),
        multipliers=jnp.asarray(np.exp(logs)),
        trivial_error=jnp.asarray(np.array(errors, dtype)),
        stable=jnp.asarray(np.all(np.real(logs) < 0, axis=1)),
        bifurcations=distinct(found),
        result=path.result,
    )
