"""Columns: a common form for arrays, lists, data frames, Arrow data and files."""
