"""What azd's hooks run. Standard library only: it starts before anything is installed."""
