"""A small made-up dataset to try everything on: a pottery studio's mugs, with photos, numbers, words and labels."""

from polyhead.sample.generate import write_sample

__all__ = ["write_sample"]
