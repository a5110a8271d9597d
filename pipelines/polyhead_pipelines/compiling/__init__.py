"""The pipelines as files: KFP's YAML, or a Job of Kubernetes."""
