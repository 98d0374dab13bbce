"""Where rows are."""
