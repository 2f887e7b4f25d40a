"""One module per theme of the built-in curriculum; each exposes FAMILY or FAMILIES."""
