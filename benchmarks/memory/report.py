"""x."""


def write(): ...
