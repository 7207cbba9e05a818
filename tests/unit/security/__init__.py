"""What somebody hostile would try: one module per door, and the threat model that names them all."""
