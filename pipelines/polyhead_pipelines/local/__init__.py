"""The training pipeline on this machine."""
