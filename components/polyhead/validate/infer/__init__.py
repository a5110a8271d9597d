"""A first configuration from a look at a table."""

from polyhead.validate.infer.proposal import Proposal, propose

__all__ = ["Proposal", "propose"]
