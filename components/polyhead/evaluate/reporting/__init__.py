"""What people are shown of an evaluation: a sentence for each head, and the page."""
