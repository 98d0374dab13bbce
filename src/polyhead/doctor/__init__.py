"""Examines hand-written generators, datasets, loaders and arrays."""
