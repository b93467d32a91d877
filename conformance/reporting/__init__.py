"""Says a verdict aloud: every report is made from one result, which is a plain, JSON-able mapping."""
