"""Schemas compared by the values they admit."""
