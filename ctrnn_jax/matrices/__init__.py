"""How the recurrent matrix W is parametrised."""

from ._base import AbstractWeight, DenseWeight
from ._bipartite import BipartiteSkew
from ._block_rotation import BlockRotation
from ._gain_plus_skew import GainPlusSkew
from ._low_rank import LowRankSkew
from ._skew_symmetric import SkewSymmetric
from ._sparse import SparseSkew
from ._unconstrained import Unconstrained

__all__ = [
    "AbstractWeight",
    "BipartiteSkew",
    "BlockRotation",
    "DenseWeight",
    "GainPlusSkew",
    "LowRankSkew",
    "SkewSymmetric",
    "SparseSkew",
    "Unconstrained",
]
