"""validate: table + config → ValidationReport, clean table, rejected rows."""
