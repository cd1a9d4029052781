"""The console command `affectory`."""


def main() -> None:
    """Run."""
