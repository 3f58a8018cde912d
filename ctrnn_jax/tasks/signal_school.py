"""Signal School: eight signals of a descriptor, to be generated from memory."""

import dataclasses

import numpy as np

#: Time between samples, in units of `tau`.
SAMPLE_TIME = 0.1
#: Samples of the training horizon: 100 units of time.
NUM_SAMPLES = 1000

# Frequencies are integers per 1000 samples, so that no edge of a square depends on
# how a product of decimals was rounded.
_SINE_CYCLES = (11, 7, 5)
_SINE_WEIGHTS = {"high": (0.8, 0.16, 0.16), "low": (0.16, 0.16, 0.8)}
_SQUARE_CYCLES = {"high": 6, "low": 3}
_SCALE = {"high": 1.0, "low": 0.5}


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """What a signal is told apart by: the only input a model gets.

    - `shape`: "sines" (three of them) or "square".
    - `frequency`: "high" or "low". Of the sines it says which one is loudest.
    - `amplitude`: "high", or "low", which is half as large.
    """

    shape: str
    frequency: str
    amplitude: str

    def __post_init__(self) -> None:
        """Refuse a name that is none."""
        if self.shape not in ("sines", "square"):
            raise ValueError(f"shape must be 'sines' or 'square', got {self.shape!r}.")
        for name in ("frequency", "amplitude"):
            if getattr(self, name) not in ("high", "low"):
                raise ValueError(
                    f"{name} must be 'high' or 'low', got {getattr(self, name)!r}."
                )

    @property
    def name(self) -> str:
        """A short name, such as "sines hf-la"."""
        return f"{self.shape} {self.frequency[0]}f-{self.amplitude[0]}a"


DESCRIPTORS: tuple[Descriptor, ...] = tuple(
    Descriptor(shape, frequency, amplitude)
    for shape in ("sines", "square")
    for frequency in ("high", "low")
    for amplitude in ("high", "low")
)
"""The eight signals, sines first."""


@dataclasses.dataclass(frozen=True)
class SignalSchool:
    r"""Eight signals, sampled every 0.1: memorize them, then go on alone.

    Sines: $a \sum_i c_i \sin(2\pi f_i t)$ with $f = (.11, .07, .05)$ and
    $c = (.8, .16, .16)$ at high frequency, $(.16, .16, .8)$ at low. Squares:
    $a (-1)^{\lfloor 2f(t + 0.5/f) \rfloor}$ with $f = .06$ at high frequency, $.03$
    at low. $a$ is 1 at high amplitude and 0.5 at low; frequencies in cycles per unit
    of time. A model may know the descriptor, and nothing else: no sample is ever fed
    back to it.

    - `descriptors`: which signals, in the order of all results.

    **Reference:** after the public code of the research group of Casoni et al. (2025),
    arXiv 2504.13951.
    """

    descriptors: tuple[Descriptor, ...] = DESCRIPTORS

    def __post_init__(self) -> None:
        """Refuse an empty task."""
        if not self.descriptors:
            raise ValueError("descriptors is empty; name at least one signal.")

    def times(self, num_samples: int = NUM_SAMPLES) -> np.ndarray:
        """Return the times of the first samples, shape `(time,)`, in units of `tau`."""
        return np.arange(_check_count(num_samples)) * SAMPLE_TIME

    def signals(self, num_samples: int = NUM_SAMPLES) -> np.ndarray:
        """Return the first samples of every signal, shape `(signals, time)`.

        More than 1000 go past the horizon that is trained on.
        """
        index = np.arange(_check_count(num_samples))
        return np.stack([_signal(descriptor, index) for descriptor in self.descriptors])

    def codes(self) -> np.ndarray:
        """Return the descriptors as numbers, one-hot, shape `(signals, 8)`.

        Each of the three properties is one of two; the code is the product of the
        three one-hot pairs, so that a linear map of it can treat all alike or each
        on its own.
        """
        places = [DESCRIPTORS.index(descriptor) for descriptor in self.descriptors]
        return np.eye(len(DESCRIPTORS))[places]


def relative_error(generated: np.ndarray, target: np.ndarray) -> np.ndarray:
    r"""Return $\overline{(\hat u - u)^2} / \overline{u^2}$ along the last axis.

    1 is what predicting zero scores, whatever the amplitude; an absolute error would
    pass the quiet signals for nothing.

    **Arguments:**

    - `generated`: shape `(..., time)`.
    - `target`: shape `(..., time)`, not zero throughout.

    **Returns:** shape `(...)`, dimensionless; infinite where `generated` is not
    finite.

    **Raises:** `ValueError` if the numbers of samples differ or a target is zero.
    """
    generated, target = np.asarray(generated), np.asarray(target)
    if generated.shape[-1] != target.shape[-1]:
        raise ValueError(
            f"generated has {generated.shape[-1]} samples, target "
            f"{target.shape[-1]}; compare the same stretch of time."
        )
    power = np.mean(target**2, axis=-1)
    if not np.all(power > 0):
        raise ValueError("a target is zero or not finite; its power cannot be divided.")
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.mean((generated - target) ** 2, axis=-1) / power
    return np.where(np.isnan(error), np.inf, error)


def _signal(descriptor: Descriptor, index: np.ndarray) -> np.ndarray:
    """Return the samples with these numbers, shape `(time,)`."""
    scale = _SCALE[descriptor.amplitude]
    if descriptor.shape == "square":
        cycles = _SQUARE_CYCLES[descriptor.frequency]
        # 2f(t + 0.5/f) = 2ft + 1, in whole numbers.
        flips = 2 * cycles * index // NUM_SAMPLES + 1
        return scale * np.where(flips % 2 == 0, 1.0, -1.0)
    # Whole turns are dropped before the sine, so that late samples are as exact.
    turns = np.outer(_SINE_CYCLES, index) % NUM_SAMPLES / NUM_SAMPLES
    weights = np.asarray(_SINE_WEIGHTS[descriptor.frequency])
    return scale * weights @ np.sin(2 * np.pi * turns)


def _check_count(num_samples: int) -> int:
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}.")
    return num_samples
