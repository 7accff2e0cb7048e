"""Vigie labels streams of short texts with a person in the loop."""

__version__ = "0.1.0"
