"""polyhead feeds Keras 3 models that have many heads."""

__version__ = "0.1.0"
