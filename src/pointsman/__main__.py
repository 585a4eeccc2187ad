"""`python -m pointsman`: the command line, for a caller that must be sure of the interpreter."""

from pointsman.cli import main

if __name__ == "__main__":
    main()
