"""Side by side with what else feeds a Keras model: ``python -m benchmarks``."""
