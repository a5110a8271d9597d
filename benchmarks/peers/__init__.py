"""The other ways of doing the same work, run with .venv-peers (`make bench-peers`); nothing of Polyhead in here."""
