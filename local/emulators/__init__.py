"""Microsoft's emulators in containers: what docker-compose.yml needs beside them."""
