"""Measurements of the project; each runnable one is `./dev bench NAME`."""
