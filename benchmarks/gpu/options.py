"""What a run measures: which sizes, lanes and spans, and for how long."""

import dataclasses
import json
from typing import Any

#: Neurons -> numbers of lanes, float32.
LANES = {
    2: (10**4, 10**5, 10**6, 10**7),
    8: (10**4, 10**5, 10**6, 10**7),
    32: (10**4, 10**5, 10**6),
    128: (10**4, 10**5),
}
#: The one number of lanes in float64.
LANES_FLOAT64 = {2: 10**6, 8: 10**6, 32: 10**5, 128: 10**4}
#: Numbers of lanes of the rows by coordinate splitting, by size.
LANES_SPLITTING = {2: (10**5, 10**6), 8: (10**5, 10**6)}
#: Steps of a gradient.
SPANS = (10**4, 10**5, 10**6)


@dataclasses.dataclass(frozen=True)
class Options:
    """Settings of all parts; every process is given the same.

    - `sizes`: neurons.
    - `tiny`: a few lanes and steps, to see on any machine whether everything works.
    - `most_lanes`, `most_steps`: leave out what is larger.
    - `seed`: of the random inputs.
    - `minutes`: begin no further row after so long.
    - `row_seconds`: a row that takes longer is ended, with its process.
    - `run_seconds`: the longest run that is still made in full; others make fewer
      steps.
    - `skip_seconds`: a row foretold to take longer is skipped.
    """

    sizes: tuple[int, ...] = (2, 8, 32, 128)
    tiny: bool = False
    most_lanes: int = 10**7
    most_steps: int = 10**6
    seed: int = 0
    minutes: float = 8.5
    row_seconds: float = 120.0
    run_seconds: float = 0.5
    skip_seconds: float = 15.0

    @property
    def steps(self) -> tuple[int, int]:
        """Steps of the check (and of long runs), and of a run in full."""
        return (10, 40) if self.tiny else (100, 1000)

    def lanes(self, size: int, bits: int, scheme: str = "rk4") -> tuple[int, ...]:
        """Return the numbers of lanes of a size, precision and scheme."""
        if scheme == "splitting":
            found = LANES_SPLITTING.get(size, ()) if bits == 32 else ()
        elif bits == 64:
            found = (LANES_FLOAT64[size],)
        else:
            found = LANES[size]
        if self.tiny:
            found = (64, 200)[: len(found)]
        return tuple(count for count in found if count <= self.most_lanes)

    @property
    def spans(self) -> tuple[int, ...]:
        """Steps of the gradients that are timed."""
        spans = (20, 40) if self.tiny else SPANS
        return tuple(span for span in spans if span <= self.most_steps)

    @property
    def agreement_steps(self) -> int:
        """Steps of the gradient that is compared with back-propagation."""
        return 16 if self.tiny else 200

    def gradient_lanes(self, size: int) -> tuple[int, ...]:
        """Return the numbers of lanes of a gradient."""
        if self.tiny:
            return (8,)
        return (64, 4096) if size == 32 else (4096,)

    def dump(self) -> str:
        """Return the options as text, for a process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def load(cls, text: str) -> "Options":
        """Return the options of a text."""
        values: dict[str, Any] = json.loads(text)
        values["sizes"] = tuple(values["sizes"])
        return cls(**values)


#: The processes of each part, by the precision JAX is set to there.
PROCESSES: dict[str, tuple[int, ...]] = {
    "ceilings": (32,),
    "ensembles": (32, 64),
    "gradients": (32, 64),
    "training": (32,),
}
