"""Runs on a server: what is sent, how it is answered, and waiting for the end."""
