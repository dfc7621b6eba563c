"""Faults of single answers."""

from smscli.demo.faults import KINDS

__all__ = ["KINDS"]
