"""Staff by their groups, as the admin's tests have them."""

from tests.partners.conftest import staff

__all__ = ["staff"]
