"""Kinds of plain text for pre-training, one module each; every function takes (rng, side) and gives one text."""
