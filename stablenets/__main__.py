"""`python -m stablenets` is the command `stablenets`."""

from stablenets.cli import main

if __name__ == "__main__":
    main()
