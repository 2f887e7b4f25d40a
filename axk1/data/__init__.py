"""Token ids on disk → batches: shards, packing, a loader that resumes, documents and conversations → ids."""
