"""Sweeps: millions of settings, any machine, nothing lost."""
