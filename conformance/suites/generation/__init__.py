"""How requests are drawn, sent in long lifecycles, and shrunk to the smallest sequence that shows a defect."""
