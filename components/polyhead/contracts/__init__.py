"""What the steps agree on: the user's configuration and one contract per artifact.

Nothing in this package imports pandas, polars, TensorFlow or KFP, so every step, the command line and the
pipelines can import it at no cost.
"""
