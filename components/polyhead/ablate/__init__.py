"""ablate: bundle + shards → EvaluationReport, with what models say that were trained without some of the features."""
