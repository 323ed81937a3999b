"""Who runs this process, as audit rows name it."""

import os
import pwd

from flagrank.triage.audit import name_user


def find_user() -> str:
    """The actor that the operating system's user is: by name, or by number where it has none."""
    number = os.getuid()
    try:
        return name_user(pwd.getpwuid(number).pw_name)
    except KeyError:  # in a container a user may be a number only
        return name_user(str(number))
