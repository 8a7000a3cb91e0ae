"""The documentation site: what it is built with, and what must hold of it."""
