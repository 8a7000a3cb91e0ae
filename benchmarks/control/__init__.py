"""How much of the idle capacity the real dispatcher fills, and what that costs the interactive
calls: whole hours in virtual time, against the plant of `local/ptu`."""
