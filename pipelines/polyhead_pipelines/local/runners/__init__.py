"""Where the steps of a local run are carried out."""
