"""Polyhead as a Python library: `import polyhead as ph` gives the names of these modules. It calls the same steps."""
