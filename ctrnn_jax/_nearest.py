"""What somebody may have meant who wrote a name that is none.

The standard library only, so that the command line may answer before JAX is loaded.
"""

import difflib
from collections.abc import Iterable


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean "..."?`, or nothing if no allowed name is near."""
    allowed = list(allowed)
    found = [option for option in allowed if name and option.startswith(name)]
    found += difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    return f' Did you mean "{found[0]}"?' if found else ""
