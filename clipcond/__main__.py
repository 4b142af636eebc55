"""python -m clipcond"""

import sys

from clipcond.cli.entry import main

sys.exit(main())
