"""Post-training: supervised fine-tuning."""
