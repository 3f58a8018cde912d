"""Results of claims, made up for the tests."""

import numpy as np
from matplotlib.figure import Figure

from ctrnn_jax.reproduce import ClaimResult, Finding, Picture, Table


def _picture(name="figure", text="a & b"):
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot(np.arange(3.0))
    return Picture.from_figure(figure, name=name, caption=text, alt=text, dpi=40)


def make_result(key="C1", text="plain", **changes):
    parts = {
        "key": key,
        "title": text,
        "claim": text,
        "verdict": "holds where",
        "summary": text,
        "findings": (Finding(text, "holds", text), Finding(text, "fails", text)),
        "tables": (Table(text, ("a", text), ((text, "1"),), text),),
        "pictures": (_picture(text=text),),
        "settings": {"seed": 1, "text": text},
        "seconds": 1.5,
    }
    return ClaimResult(**{**parts, **changes})
