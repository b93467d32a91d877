"""A comparison in the forms people and machines read it in."""
