"""Many requests in one file, answered when nobody else asks: /v1/batches."""
