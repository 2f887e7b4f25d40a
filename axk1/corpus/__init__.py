"""Raw text and generated exercises → clean documents (no torch here)."""
