"""Judged traffic on Locust: many users at once, each answer judged, also while a deployment changes."""
