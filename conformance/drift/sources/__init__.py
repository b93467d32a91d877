"""Where descriptions come from: files, instances, traffic, the vendor's SDK."""
