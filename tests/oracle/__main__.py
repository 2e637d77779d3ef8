"""``python -m tests.oracle``."""

from tests.oracle.runner import main

if __name__ == "__main__":
    raise SystemExit(main())
