"""The places that can run a pipeline, a module each."""
