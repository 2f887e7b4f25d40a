"""The fronts of OpenAI's API: chat, completions, embeddings, models; and vLLM's tokenize."""
