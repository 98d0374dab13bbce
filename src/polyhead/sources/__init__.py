"""Sources: rows of named columns, and ways to select, split, join and mix them."""
