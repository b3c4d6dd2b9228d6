"""``python -m painterly_engine.cli``."""

import sys

from painterly_engine.cli.main import main

sys.exit(main())
