"""card: bundle + evaluation → a model card: data, splits, scores, slices, limits, provenance."""
