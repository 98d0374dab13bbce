"""Columns: one type for arrays, lists, frames, Arrow data and files."""
