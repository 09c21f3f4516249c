"""Owns `python -m twohands`."""

from twohands.cli import main

if __name__ == "__main__":
    main()
