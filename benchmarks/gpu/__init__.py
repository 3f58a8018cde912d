"""The GPU beside its own limits and beside the peers: `python -m benchmarks gpu`.

Each part runs in processes of its own, one a precision, so that a kernel that fails
takes no other part's numbers with it. What is measured is written after every row.
"""

#: The parts that measure, in their order. "report" writes table and figure again.
PARTS = ("ceilings", "ensembles", "gradients", "training")

__all__ = ["PARTS"]
