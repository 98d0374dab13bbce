"""Runs the command as ``python -m polyhead``, for when it is not on the path."""

from _polyhead_command import main

if __name__ == "__main__":
    main()
