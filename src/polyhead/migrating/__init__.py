"""Turns the data pipeline of a script into a feed: what a script does is read, never guessed from its name."""
