"""The Kubeflow pipelines: the training pipeline, its compilation, and running it locally."""
