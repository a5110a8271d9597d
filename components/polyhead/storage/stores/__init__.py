"""Where bytes are kept: one class for every scheme, behind one interface."""
