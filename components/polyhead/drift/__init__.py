"""drift: bundle + table → whether the table's rows are like those that the model was fitted on."""
