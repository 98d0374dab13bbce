"""The values of one column, whatever holds them."""
