"""Owns what a symbol costs now and cost before, and what can be traded. Knows no orders."""
