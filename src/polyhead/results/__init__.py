"""Outputs back to rows: how good a model is."""
