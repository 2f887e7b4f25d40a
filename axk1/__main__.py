"""`python -m axk1` is the command `axk1`."""

import sys

from axk1.cli import main

if __name__ == "__main__":
    sys.exit(main())
