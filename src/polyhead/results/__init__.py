"""Brings what a model predicts back to the rows it came from."""
