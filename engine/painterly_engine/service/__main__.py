"""``python -m painterly_engine.service``: start the engine here, in the foreground."""

import sys

from painterly_engine.service.command import main

sys.exit(main())
