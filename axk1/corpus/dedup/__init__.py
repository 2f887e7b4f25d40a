"""Texts that are there more than once: equal, nearly equal, in part, in meaning, or in an evaluation set."""
