"""Runs the command line: `python -m ecgimn COMMAND`."""

from ecgimn.cli import main

if __name__ == "__main__":
    main()
