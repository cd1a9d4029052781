"""The console command `affectory`, also as `python -m affectory`. The commands are in `affectory.cli`."""

from affectory.core.interrupt import quiet_until_finish


def main() -> int:
    """Run the command; return its exit code. The installed script calls this as well."""
    quiet_until_finish()
    from affectory import cli  # takes a while

    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
