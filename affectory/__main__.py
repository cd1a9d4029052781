"""`python -m affectory`: the console command `affectory`."""

from affectory.core.interrupt import quiet_until_finish

if __name__ == "__main__":
    quiet_until_finish()

import sys

from affectory.cli import main

if __name__ == "__main__":
    sys.exit(main())
