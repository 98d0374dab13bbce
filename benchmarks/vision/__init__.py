"""Photographs in files, with masks and boxes, decoded and augmented: ``python -m benchmarks.vision``."""
