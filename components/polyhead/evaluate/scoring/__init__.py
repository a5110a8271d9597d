"""How good each head is: its metrics and intervals, beside what else predicts the same rows, over all and by slice."""
