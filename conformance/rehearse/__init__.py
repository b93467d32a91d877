"""A user's own notebooks, scripts and Markdown code, run unchanged against a release before an upgrade."""
