"""What an analysis's specification may hold, in file and flag.

No heavy import: `ctrnn analyse --help` is made from this table.
"""

from dataclasses import replace

from ._keys import KEYS, Key

#: Keys of a simulation that mean the same here.
_SHARED = ("model", "weight", "solver", "run")
_LEFT_OUT = ("run.segment", "solver.rtol", "solver.atol")


def _only(switch: str) -> tuple[str, tuple[bool]]:
    return f"analysis.{switch}", (True,)


def _shared() -> tuple[Key, ...]:
    kept = []
    for key in KEYS:
        if key.path == "solver.order":
            key = replace(key, default=4)
        if key.path == "initial.y0":
            key = replace(key, help="initial state, (n,), instead of a random one")
        if key.section == "initial" and key.name != "batch":
            kept.append(replace(key, help=key.help.replace("states", "state")))
        elif key.section in _SHARED and key.path not in _LEFT_OUT:
            kept.append(key)
    return tuple(kept)


ANALYSIS_KEYS = (
    *_shared(),
    Key(
        "time", "duration", "--duration", "number",
        "how long the orbit is watched; chaos with an exponent below about "
        "12/duration, and periods above duration/2, go unseen", 2000.0, positive=True,
    ),
    Key(
        "time", "transient", "--transient", "number",
        "time discarded before that", 0.0, minimum=0.0,
    ),
    Key("time", "dt0", "--dt0", "number", "longest step", 0.05, positive=True),
    Key(
        "analysis", "lyapunov", "--lyapunov", "switch",
        "Lyapunov exponents with standard errors", False,
    ),
    Key(
        "analysis", "num_exponents", "--num-exponents", "integer",
        "how many, the largest first; default all, 16 at most", minimum=1,
        only_for=_only("lyapunov"),
    ),
    Key(
        "analysis", "section", "--section", "switch",
        "Poincare section where a neuron crosses a level upwards", False,
    ),
    Key(
        "analysis", "section_neuron", "--section-neuron", "integer",
        "which neuron, from 0", 0, minimum=0, only_for=_only("section"),
    ),
    Key(
        "analysis", "section_level", "--section-level", "number", "the level", 0.0,
        only_for=_only("section"),
    ),
    Key(
        "analysis", "frequencies", "--frequencies", "switch",
        "the lines that all neurons share, by Laskar's method", False,
    ),
    Key(
        "analysis", "num_frequencies", "--num-frequencies", "integer",
        "how many lines, the strongest first", 8, minimum=1,
        only_for=_only("frequencies"),
    ),
    Key(
        "analysis", "periodic_orbit", "--periodic-orbit", "switch",
        "the periodic orbit near the end of the record, and its Floquet multipliers",
        False,
    ),
    Key(
        "analysis", "fixed_points", "--fixed-points", "switch",
        "fixed points that states of the orbit, with noise, lead to", False,
    ),
    Key(
        "analysis", "num_candidates", "--num-candidates", "integer",
        "how many such states", 256, minimum=1, only_for=_only("fixed_points"),
    ),
    Key(
        "analysis", "candidate_noise", "--candidate-noise", "number",
        "standard deviation of the noise", 0.5, minimum=0.0,
        only_for=_only("fixed_points"),
    ),
    Key(
        "analysis", "candidate_seed", "--candidate-seed", "integer", "its seed", 0,
        minimum=0, only_for=_only("fixed_points"),
    ),
    Key(
        "analysis", "gradient_norms", "--gradient-norms", "switch",
        "singular values of dx(t)/dx(t-delay): do gradients vanish or explode?", False,
    ),
    Key(
        "analysis", "max_delay", "--max-delay", "number",
        "longest delay; default a tenth of the duration", positive=True,
        only_for=_only("gradient_norms"),
    ),
)  # fmt: skip

#: Names of the parts, in the order in which they run. The first is always there.
PARTS = (
    "orbit",
    "lyapunov",
    "section",
    "frequencies",
    "periodic_orbit",
    "fixed_points",
    "gradient_norms",
)
