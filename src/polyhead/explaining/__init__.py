"""Explains error messages of Keras: what happened, in which head and row, and the code to write."""
