"""Where the sign-in page sends those whose organisation signs them in."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse

from portal.web.single_sign_on import known_to

register = template.Library()


@register.simple_tag(takes_context=True)
def way_of_this_browser(context: dict[str, Any]) -> str:
    """The way that this browser took before, else where the address is asked for."""
    return known_to(context["request"]) or reverse("single_sign_on_ask")
