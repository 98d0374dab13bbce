"""``python -m polyhead``, where the command itself is not on the path."""

from _polyhead_command import main

if __name__ == "__main__":
    main()
