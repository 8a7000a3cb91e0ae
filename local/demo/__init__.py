"""`./dev demo`: real interactive traffic on a simulated PTU, and real questions that fill its idle
part through the app. Everything that it claims it has read back from the parts themselves."""
