"""Recorded interactive traffic, for the demo and for benchmarks."""
