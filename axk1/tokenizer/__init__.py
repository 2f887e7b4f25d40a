"""Text ↔ ids: byte-level BPE with a Korean-aware pre-tokenizer and fixed special ids."""
