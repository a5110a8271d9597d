"""evaluate: bundle + shards → EvaluationReport, predictions, report.html, verdict."""
