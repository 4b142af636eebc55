"""python -m clipcond"""

import sys

from clipcond.cli import main

sys.exit(main())
