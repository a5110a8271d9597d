"""Tables in, and the tables that steps hand on: the clean rows, the rejected cells."""
