"""Inside the environment: run the command that `./dev` was called with."""

import sys

from local.dev import cli
from local.dev.errors import DevError


def main() -> int:
    parsed = cli.parse(sys.argv[1:])
    if parsed is None:
        return 0
    command, arguments = parsed
    try:
        code: int = command.module().run(arguments)
    except DevError as error:
        print(f"./dev {command.name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
