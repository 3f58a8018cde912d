"""Main frequencies of a quasi-periodic signal, far below the width of an FFT's bin."""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._precision import full_precision
from .._types import Array, ArrayLike, Bool, Float, Int, ScalarLike
from ..integrate._checks import check_step
from ..matrices._checks import check_integer
from ._status import OUTCOMES, mark

#: Joint Newton sweeps after the last line is found, at most: near lines need many.
_MAX_SWEEPS = 16


class MainFrequencies(eqx.Module):
    r"""What [`main_frequencies`][ctrnn_jax.analysis.main_frequencies] returns.

    For k lines and one channel; with several, `amplitude` and `phase` gain a last
    axis, and so does `mean`.

    - `angular_frequency`: shape `(k,)`, in radians per unit time, strongest first;
      positive for a real signal. 0 from `count` on.
    - `amplitude`: $A \ge 0$, shape `(k,)`; 0 from `count` on.
    - `phase`: θ at the first sample, shape `(k,)`, in (−π, π].
    - `mean`: the line at frequency 0, complex for a complex signal.
    - `residual`: what the lines leave unexplained, as a fraction of the signal's
      (windowed) root mean square about its mean; 0 is all explained.
    - `count`: lines above rounding.
    - `resolution`: $2\pi/T$ with T the length of the record: lines nearer than
      `window_order + 1` times this are not told apart.
    - `result`: `successful`, or `nonfinite` for samples that are not finite.
    """

    angular_frequency: Float[Array, " k"]
    amplitude: Float[Array, "k *channels"]
    phase: Float[Array, "k *channels"]
    mean: Array
    residual: Float[Array, ""]
    count: Int[Array, ""]
    resolution: Float[Array, ""]
    result: OUTCOMES


@full_precision
def main_frequencies(
    samples: ArrayLike,
    spacing: ScalarLike,
    *,
    num_frequencies: int = 4,
    window_order: int = 2,
) -> MainFrequencies:
    r"""Find the strongest lines of a signal by Laskar's numerical analysis.

    A real signal is taken as $\bar x + \sum_k A_k\cos(\omega_k t + \theta_k)$, a
    complex one as $\bar z + \sum_k A_k e^{i(\omega_k t + \theta_k)}$, t = 0 at the
    first sample. Each line starts at the peak of the spectrum of what the earlier ones
    leave, weighted by $\chi_p(t) \propto (1 + \cos \pi t)^p$ on $[-1, 1]$, and is the
    maximum of $|\int x \chi_p e^{-i\omega t}|$, found by Newton's method. Amplitudes
    are fitted jointly, which is the projection on all lines that Laskar reaches by
    Gram–Schmidt, and the maxima are found again with the other lines taken away until
    they stand still, so that lines do not bias each other.

    **Arguments:**

    - `samples`: shape `(time,)`, or `(time, channels)` for signals that share their
      lines, such as the neurons of one orbit; real or complex, at equal spacing.
    - `spacing`: time between samples. Faster lines than π/`spacing` are folded back.
    - `num_frequencies`: how many lines k to look for.
    - `window_order`: p; a line of amplitude a that is not among the k shifts another,
      a distance Δ away, by about $a(\Delta T)^{-2p-2}/T$, but near lines need a small
      p.

    **Returns:** a [`MainFrequencies`][ctrnn_jax.analysis.MainFrequencies].

    **Raises:** `ValueError` for fewer than 8·(k + 1)·(p + 1) samples or a bad argument.

    **Accuracy:** sums of at most k lines: about $10^{-13}$ in float64 and $10^{-7}$ in
    float32, in units of 1/`spacing` (the rounding of ω·t over the record is the
    limit). Cost: O(k T log T).

    **Reference:** Laskar (1993), Frequency analysis for multi-dimensional systems,
    Physica D 67, 257; Šidlichovský and Nesvorný (1996), Celest. Mech. 65, 137, for the
    correction of the lines by each other.
    """
    lines = check_integer("num_frequencies", num_frequencies, minimum=1, maximum=64)
    order = check_integer("window_order", window_order, minimum=1, maximum=5)
    check_step(spacing)
    x = jnp.asarray(samples)
    if x.ndim not in (1, 2) or not jnp.issubdtype(x.dtype, jnp.inexact):
        raise ValueError(
            "samples must be floating or complex of shape (time,) or (time, channels), "
            f"got {x.dtype} of shape {x.shape}."
        )
    least = 8 * (lines + 1) * (order + 1)
    if x.shape[0] < least:
        raise ValueError(
            f"{lines} lines with window_order={order} need at least {least} samples, "
            f"got {x.shape[0]}. Sample longer or ask for fewer."
        )
    real = jnp.finfo(x.dtype).dtype
    return _analyse(x, jnp.asarray(spacing, real), lines, order)


@eqx.filter_jit
def _analyse(
    samples: Array, spacing: Float[Array, ""], lines: int, order: int
) -> MainFrequencies:
    finite = jnp.all(jnp.isfinite(samples))
    is_real = not jnp.iscomplexobj(samples)
    clean = jnp.where(finite, samples, jnp.zeros_like(samples))
    x = clean.reshape(clean.shape[0], -1)
    fit = _Fit(
        x if not is_real else jax.lax.complex(x, jnp.zeros_like(x)), order, is_real
    )
    sigma = jnp.zeros(lines, spacing.dtype)
    known = jnp.zeros(lines, bool)

    def add(index: Array, state: tuple) -> tuple:
        sigma, known = state
        peak, found = fit.peak(fit.split(sigma, known).rest, sigma, known)
        sigma, known = sigma.at[index].set(peak), known.at[index].set(found)
        return fit.sweep(sigma, known), known

    sigma, known = jax.lax.fori_loop(0, lines, add, (sigma, known))
    sigma = fit.settle(sigma, known)
    parts = fit.split(sigma, known)
    terms = parts.terms
    # A real line is two exponentials, of which the second is the conjugate.
    coefficient = terms[1 : lines + 1] * (2.0 if is_real else 1.0)
    # From the middle of the record, where the fit is well conditioned, to its start.
    start = sigma * jnp.asarray((x.shape[0] - 1) / 2, sigma.dtype)
    coefficient = coefficient * _wave(-start)[:, None]
    strength = jnp.sqrt(jnp.sum(jnp.abs(coefficient) ** 2, axis=1))
    size = jnp.sqrt(jnp.mean(jnp.sum(jnp.abs(x) ** 2, axis=1)))
    above = known & (strength > 64 * jnp.finfo(size.dtype).eps * size)
    by_strength = jnp.argsort(-jnp.where(above, strength, -1.0))
    keep = above[by_strength]
    coefficient = jnp.where(keep[:, None], coefficient[by_strength], 0.0)
    shape = (lines, *samples.shape[1:])
    mean = terms[0].reshape(samples.shape[1:])
    total, rounding = fit.power(fit.x - terms[:1]), jnp.finfo(size.dtype).eps * size
    varies = total > (64 * rounding) ** 2
    left = jnp.where(varies, fit.power(parts.rest), jnp.zeros_like(total))
    return MainFrequencies(
        angular_frequency=jnp.where(keep, sigma[by_strength], 0.0) / spacing,
        amplitude=jnp.abs(coefficient).reshape(shape),
        phase=jnp.angle(coefficient).reshape(shape),
        mean=mean.real if is_real else mean,
        residual=jnp.sqrt(left / jnp.where(varies, total, jnp.ones_like(total))),
        count=jnp.sum(keep),
        resolution=2 * math.pi / (x.shape[0] * spacing),
        result=mark(~finite, OUTCOMES.nonfinite, OUTCOMES.successful),
    )


class _Parts(NamedTuple):
    """A fit: e^{iσj} of the lines, all coefficients, and what is left."""

    waves: Array
    terms: Array
    rest: Array


def _wave(angle: Array) -> Array:
    """Return e^{iφ}."""
    return jax.lax.complex(jnp.cos(angle), jnp.sin(angle))


class _Fit:
    r"""A weighted fit of exponentials $e^{i\sigma j}$, j counted from the middle."""

    def __init__(self, x: Array, order: int, is_real: bool):
        self.x, self.order, self.is_real = x, order, is_real
        size = x.shape[0]
        j = np.arange(size) - (size - 1) / 2
        window = (1 + np.cos(2 * np.pi * j / size)) ** order
        real = jnp.finfo(x.dtype).dtype
        self.j = jnp.asarray(j, real)
        self.weight = jnp.asarray(window / window.sum(), real)
        # Again as complex numbers, with which they are multiplied.
        self.window = self.weight.astype(x.dtype)
        self.moment = self.j.astype(x.dtype)
        self.spread = float((window * j**2).sum() / window.sum())
        self.bin = 2 * math.pi / size

    def power(self, rest: Array) -> Array:
        """Return the windowed mean square."""
        return jnp.sum(self.weight[:, None] * jnp.abs(rest) ** 2)

    def exponents(self, sigma: Array, known: Array) -> tuple[Array, Array]:
        """Return all exponents of the model, 0 first, and which of them count."""
        both = [sigma, -sigma] if self.is_real else [sigma]
        zero, yes = jnp.zeros(1, sigma.dtype), jnp.ones(1, bool)
        flags = [known] * len(both)
        return jnp.concatenate([zero, *both]), jnp.concatenate([yes, *flags])

    def waves(self, sigma: Array) -> Array:
        """Return e^{iσj}, shape `(k, time)`, as products of few sines and cosines."""
        size = self.x.shape[0]
        length = math.ceil(math.sqrt(size))
        counts = jnp.arange(length).astype(sigma.dtype)
        times = jnp.stack([length * counts - (size - 1) / 2, counts])
        # A loop, into which XLA does not fuse what follows: it would work out every
        # sine again for every product.
        coarse, fine = jax.lax.map(lambda t: _wave(sigma[:, None] * t[None]), times)
        whole = coarse[:, :, None] * fine[:, None]
        return whole.reshape(sigma.shape[0], -1)[:, :size]

    def split(self, sigma: Array, known: Array) -> "_Parts":
        """Fit the coefficients of all exponents jointly."""
        waves = self.waves(sigma)
        both = [waves, waves.conj()] if self.is_real else [waves]
        basis = jnp.concatenate([jnp.ones_like(waves[:1]), *both])
        _, flags = self.exponents(sigma, known)
        basis = jnp.where(flags[:, None], basis, jnp.zeros_like(basis))
        weighted = self.window[None] * basis.conj()
        # What does not count gets a unit of its own, so that its coefficient is 0.
        spare = jnp.diag(jnp.where(flags, 0.0, 1.0).astype(basis.dtype))
        terms = jnp.linalg.solve(weighted @ basis.T + spare, weighted @ self.x)
        return _Parts(waves, terms, self.x - basis.T @ terms)

    def peak(self, rest: Array, sigma: Array, known: Array) -> tuple[Array, Array]:
        """Return the highest peak of the rest that is not beside a known line."""
        size = self.x.shape[0]
        # Twice the length puts a peak within a quarter of its old bin.
        spectrum = jnp.fft.fft(self.window[:, None] * rest, 2 * size, axis=0)
        power = jnp.sum(jnp.abs(spectrum) ** 2, axis=1)
        grid = jnp.asarray(2 * np.pi * np.fft.fftfreq(2 * size), self.j.dtype)
        exponents, flags = self.exponents(sigma, known)
        gap = jnp.abs(grid[:, None] - exponents[None])
        gap = jnp.minimum(gap, 2 * math.pi - gap)
        near = jnp.any((gap < (self.order + 1) * self.bin) & flags[None], axis=1)
        if self.is_real:
            near = near | (grid < 0)
        index = jnp.argmax(jnp.where(near, -1.0, power))
        around = power[(index + jnp.arange(-1, 2)) % (2 * size)]
        found = ~near[index] & (around[1] > 0)
        low, middle, high = jnp.log(jnp.where(around > 0, around, 1.0))
        # The vertex of the parabola through three logarithms.
        bend = low - 2 * middle + high
        shift = jnp.where(
            bend < 0, 0.5 * (low - high) / jnp.where(bend < 0, bend, 1), 0
        )
        return grid[index] + jnp.clip(shift, -1, 1) * self.bin / 2, found

    def sweep(self, sigma: Array, known: Bool[Array, " k"]) -> Array:
        r"""Move every line by one Newton step on $\sum_c |z_c(\sigma)|^2$.

        z is the windowed transform of the signal without the other lines: of the
        rest, plus the line itself.
        """
        parts = self.split(sigma, known)
        rest, own = parts.rest, parts.terms[1 : sigma.shape[0] + 1]
        back = self.window[None] * parts.waves.conj()
        j = self.moment[:, None]
        z = back @ rest + own
        first = -1j * (back @ (j * rest))
        second = -(back @ (j**2 * rest)) - self.spread * own
        slope = jnp.sum((first * z.conj()).real, axis=1)
        bend = jnp.sum((second * z.conj()).real + jnp.abs(first) ** 2, axis=1)
        hill = known & (bend < 0)
        step = -slope / jnp.where(hill, bend, 1.0)
        return sigma + jnp.where(hill, jnp.clip(step, -self.bin, self.bin), 0.0)

    def settle(self, sigma: Array, known: Array) -> Array:
        """Sweep until the lines stand still to rounding."""
        still = 4 * jnp.finfo(sigma.dtype).eps

        def moving(state: tuple) -> Array:
            count, change, _ = state
            return (count < _MAX_SWEEPS) & (change > still)

        def again(state: tuple) -> tuple:
            count, _, sigma = state
            new = self.sweep(sigma, known)
            return count + 1, jnp.max(jnp.abs(new - sigma)), new

        start = (jnp.asarray(0), jnp.ones((), sigma.dtype), sigma)
        return jax.lax.while_loop(moving, again, start)[2]
