"""The rules that compare a feed with a model, and labels with heads."""
