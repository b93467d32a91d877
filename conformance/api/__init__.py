"""The API as it is used: its operations, a client, and the bodies it takes."""
