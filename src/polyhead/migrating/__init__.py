"""Turns the data pipelines of a script into feeds, by reading its code."""
