"""Memorization: our networks and every rival, trained alike on the same tasks."""
