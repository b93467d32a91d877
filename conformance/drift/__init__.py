"""Drift: two descriptions of the API that differ, who breaks, and a witness for it."""
