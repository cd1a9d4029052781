"""`python -m affectory`: the console command `affectory`."""

import sys

from affectory.cli import main

if __name__ == "__main__":
    sys.exit(main())
