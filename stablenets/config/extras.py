"""How the extras of this package are installed, which are the packages that few users need."""


def install_extra(name: str) -> str:
    """Return the remedy for a missing package of an extra, such as 'slurm'."""
    return f"install stablenets[{name}], or in a checkout: make setup EXTRAS=1"
