"""Examining what somebody wrote by hand: generators, datasets, loaders, arrays."""
