"""How a large model is spread over GPUs: the arithmetic that shows whether it fits, and the files that start it."""
