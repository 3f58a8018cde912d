"""What a fused kernel answers to a call that it does not cover."""


class NotFused(Exception):
    """The call is not covered; the message says why, to follow "because"."""
