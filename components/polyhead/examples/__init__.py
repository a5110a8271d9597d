"""The example format: how a row is encoded, framed, read back in an epoch's order, and parsed."""
