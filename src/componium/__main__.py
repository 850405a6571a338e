"""``python -m componium`` is the same as ``componium``."""

from componium.cli.main import main

main()
