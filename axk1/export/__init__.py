"""From a trained model to the folder that others open."""
