"""The cells to beat, each from its paper's equations, under one interface."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .._cell import AbstractCell
from ._antisymmetric import AntisymmetricRNN
from ._block import ResidualBlock
from ._cornn import CoRNN
from ._exp_rnn import ExpRNN
from ._gru import GRU
from ._irnn import IRNN
from ._lem import LEM
from ._linoss import LinOSSIM, LinOSSIMEX
from ._lipschitz import LipschitzRNN
from ._lru import LRU
from ._lstm import LSTM
from ._tanh_rnn import TanhRNN

CELLS: Mapping[str, Callable[..., AbstractCell]] = MappingProxyType(
    {
        "tanh-rnn": TanhRNN,
        "irnn": IRNN,
        "lstm": LSTM,
        "gru": GRU,
        "antisymmetric": AntisymmetricRNN,
        "lipschitz": LipschitzRNN,
        "exprnn": ExpRNN,
        "cornn": CoRNN,
        "lem": LEM,
        "lru": LRU,
        "linoss-im": LinOSSIM,
        "linoss-imex": LinOSSIMEX,
    }
)
"""Name to `(input_size, hidden_size, *, key, dtype=None) -> AbstractCell`."""

__all__ = [
    "CELLS",
    "GRU",
    "IRNN",
    "LEM",
    "LRU",
    "LSTM",
    "AntisymmetricRNN",
    "CoRNN",
    "ExpRNN",
    "LinOSSIM",
    "LinOSSIMEX",
    "LipschitzRNN",
    "ResidualBlock",
    "TanhRNN",
]
