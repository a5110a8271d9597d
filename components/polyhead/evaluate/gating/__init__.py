"""Whether the model may go out: the gate's rules, held against an evaluation."""
