"""Maps a model's outputs back to the rows of the data: as a table of predictions, and evaluated by head."""
