"""What a model can do: tasks with honest baselines beside every share, and bits per byte of text."""
