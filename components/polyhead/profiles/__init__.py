"""Profiles of columns compared: how far other rows are from the train rows."""
