"""The error that a command ends with, as people and programs are told it: on standard error."""

import sys

import msgspec

from lockstep.cli.terminal import output
from lockstep.client.remote import ApiRefused
from lockstep.model.errors import EngineError
from lockstep.model.faults import fault_of
from lockstep_schemas.api import Fault


def show(error: EngineError, *, as_json: bool) -> None:
    """Say what went wrong: a line of text, or for programs a line of JSON as the API has it."""
    if as_json:
        sys.stderr.write(msgspec.json.encode(fault(error)).decode() + "\n")
    else:
        output.complain(str(error))


def fault(error: EngineError) -> Fault:
    """Say of an error what the API says of it; one that an engine has answered, as it was."""
    if not isinstance(error, ApiRefused):
        return fault_of(error)
    answered = error.fault
    return answered if answered.error else msgspec.structs.replace(answered, error=error.code)
