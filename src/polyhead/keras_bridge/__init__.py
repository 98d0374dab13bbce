"""The boundary to Keras: the model's structure, the check against it, fit, and compile. Imports keras lazily."""
