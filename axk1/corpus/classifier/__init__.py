"""Linear text classifiers: trained here from labelled texts, kept in one file, applied by the step `classify`."""
