"""Owns the life of an order; its database is the source of truth."""
