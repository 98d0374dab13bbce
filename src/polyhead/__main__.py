"""``python -m polyhead``, where the command itself is not on the path."""

from polyhead.cli import main

if __name__ == "__main__":
    main()
