"""Training: the loop, its log, and checkpoints that survive."""

__all__ = []
