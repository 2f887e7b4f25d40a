"""Other servers behind this one: any that speaks the OpenAI API, alone or several that share one model's load."""
