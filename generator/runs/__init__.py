"""Many specs in one run: found, looked at together, built one by one or side by side."""
