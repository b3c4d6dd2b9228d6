"""Workers beyond this machine, by Ray (the ``cluster`` extra). Only ``driver`` and what it sends out import it.

Between its own nodes Ray pickles and opens ports; it is let in with a token, and started here on loopback only.
"""
