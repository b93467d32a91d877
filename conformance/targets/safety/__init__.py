"""What a run may touch, what it made, and how that is undeployed."""
