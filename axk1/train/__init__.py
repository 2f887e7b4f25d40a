"""Training: one loop for pre-training and post-training, optimisers, schedule, resume, plots."""
