"""A small server for trying a model: TF Serving's REST shape, the open inference protocol, metrics, and a page.

It runs the SavedModel that the bundle holds, so it answers as any server of it does.
"""
