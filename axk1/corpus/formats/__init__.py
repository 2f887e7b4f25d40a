"""Document formats → text: one module a format, loaded when a source holds a file of it."""
