"""Numbers, each scaled by what was fitted on the training rows."""
