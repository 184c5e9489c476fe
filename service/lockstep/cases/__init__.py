"""Cases: automations are tested as code is, with a clock that is moved."""
