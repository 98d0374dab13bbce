"""The one rule book: a feed against a model, and values against heads."""
