"""Brings what a model predicts back to the rows it came from: as a table, and judged head by head."""
