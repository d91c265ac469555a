"""python -m minis2s"""

import sys

from .cli import main

sys.exit(main())
