"""A first configuration, inferred from a table."""

from polyhead.validate.infer.proposal import Proposal, propose

__all__ = ["Proposal", "propose"]
