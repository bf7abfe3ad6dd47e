"""The team page of a partner's owners: members and invitations. The rules: partners/members.py."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from engagement.families.registry import FAMILIES
from engagement.models import Title
from partners import members
from partners.access import scope_for
from partners.members import Place
from partners.models import Invitation, Membership
from portal.reads import list_read
from portal.templatetags.dailies import family
from portal.web.doors import owner_page
from portal.web.reports import titles_of
from portal.web.second_factor import fresh_mfa
from reports import schedules

_MAIL_FAILED = _("The mail could not be sent. Nothing was changed; try again later.")


class PlaceForm(forms.Form):
    """A role, and a limit that only narrows. What an owner may not read is not offered."""

    role = forms.ChoiceField(
        label=_("Role"),
        choices=Membership.Role.choices,
        help_text=_(
            "An owner keeps the team and the credentials; an analyst exports and sets up reports;"
            " a viewer reads pages and the reports sent to them."
        ),
    )
    narrow_titles = forms.BooleanField(label=_("Only some titles"), required=False)
    titles = forms.MultipleChoiceField(
        label=_("These titles"), required=False, widget=forms.CheckboxSelectMultiple
    )
    narrow_families = forms.BooleanField(label=_("Only some data"), required=False)
    families = forms.MultipleChoiceField(
        label=_("These data"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self,
        *args: Any,
        owner: Membership,
        titles: list[Title],
        place: Place | None = None,
        **kwargs: Any,
    ) -> None:
        place = place or Place(Membership.Role.VIEWER)
        offered = {t.pk for t in titles}
        kwargs["initial"] = {
            "role": place.role,
            "narrow_titles": place.titles is not None,
            "titles": [str(pk) for pk in place.titles or ()],
            "narrow_families": place.families is not None,
            "families": list(place.families or ()),
            **kwargs.get("initial", {}),
        }
        super().__init__(*args, **kwargs)
        own = owner.limit_families
        families = [f for f in FAMILIES if own is None or f in own]
        # what cannot be shown to this owner stays as it is
        self.kept_titles = [pk for pk in place.titles or () if pk not in offered]
        self.kept_families = [f for f in place.families or () if f not in families]
        choices: dict[str, list[Any]] = {
            "titles": [(str(t.pk), t.name) for t in titles],
            "families": [(f, family(f)) for f in families],
        }
        for name, offer in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)
            field.choices = offer

    def place(self) -> Place:
        said = self.cleaned_data
        titles = sorted({*(int(pk) for pk in said["titles"]), *self.kept_titles})
        families = [f for f in FAMILIES if f in (*said["families"], *self.kept_families)]
        return Place(
            role=said["role"],
            titles=tuple(titles) if said["narrow_titles"] else None,
            families=tuple(families) if said["narrow_families"] else None,
        )


class InviteForm(PlaceForm):
    email = forms.EmailField(label=_("E-mail"), max_length=254)
    language = forms.ChoiceField(label=_("Language of the mail"), choices=settings.LANGUAGES)
    field_order = ("email", "language", "role")


@owner_page
@require_GET
def team(request: HttpRequest, membership: Membership) -> HttpResponse:
    people = list(members.members_of(membership))
    list_read(request, membership, "team")
    titles = {t.pk: t.name for t in titles_of(scope_for(membership, "web"))}
    return render(
        request,
        "partner/team.html",
        {
            "members": [(member, _limits(member, titles)) for member in people],
            "invitations": [
                (asked_in, _limits(asked_in, titles))
                for asked_in in members.invitations_of(membership)
            ],
        },
    )


@owner_page
@fresh_mfa
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest, membership: Membership) -> HttpResponse:
    form = InviteForm(
        request.POST or None,
        owner=membership,
        titles=titles_of(scope_for(membership, "web")),
        initial={"language": membership.user.language},
    )
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        try:
            members.invite(
                owner=membership,
                email=email,
                place=form.place(),
                language=form.cleaned_data["language"],
                request=request,
            )
        except members.NotValid as problem:
            form.add_error(problem.field or None, problem.message)
        except OSError:  # smtplib's errors are OSErrors
            form.add_error(None, str(_MAIL_FAILED))
        else:
            messages.success(request, _("The invitation was sent to %s.") % email)
            return redirect("team", partner=membership.partner.slug)
    list_read(request, membership, "team/invite")
    return render(request, "partner/member.html", {"form": form, "member": None})


@owner_page
@fresh_mfa
@require_http_methods(["GET", "HEAD", "POST"])
def member(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    found = members.member_for(membership, id)
    form = PlaceForm(
        request.POST or None,
        owner=membership,
        titles=titles_of(scope_for(membership, "web")),
        place=members.place_of(found),
    )
    if request.method == "POST" and form.is_valid():
        try:
            members.change(owner=membership, member_id=id, place=form.place(), request=request)
        except members.NotValid as problem:
            form.add_error(problem.field or None, problem.message)
        except OSError:
            form.add_error(None, str(_MAIL_FAILED))
        else:
            messages.success(request, _("It holds from their next request on."))
            # one who gave up the team cannot see it any more
            return redirect(
                "portfolio" if found.pk == membership.pk else "team",
                partner=membership.partner.slug,
            )
    list_read(request, membership, f"team/{id}")
    return render(request, "partner/member.html", {"form": form, "member": found})


@owner_page
@fresh_mfa
@require_POST
def remove(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    leaver = members.member_for(membership, id)
    try:
        paused = _remove(request, membership, leaver)
    except members.NotValid as problem:
        messages.error(request, problem.message)
        return redirect("member", partner=membership.partner.slug, id=id)
    except OSError:
        messages.error(request, _MAIL_FAILED)
        return redirect("member", partner=membership.partner.slug, id=id)
    if leaver.pk == membership.pk:
        return redirect("home")
    messages.success(request, _("%s is out.") % leaver.user.get_full_name())
    if paused:
        told = _("Reports of theirs stand still and are the owner's now: %s.")
        messages.warning(request, told % ", ".join(paused))
    return redirect("team", partner=membership.partner.slug)


@transaction.atomic
def _remove(request: HttpRequest, membership: Membership, leaver: Membership) -> list[str]:
    """All of it or nothing. Returns the names of the schedules that stand still."""
    heir = members.heir_of(membership, leaver)
    handed = schedules.hand_over(leaver=leaver, to=heir, by=membership.user, request=request)
    paused = [s.name for s in handed]
    user = members.remove(owner=membership, member_id=leaver.pk, request=request)
    if paused:
        members.tell_owners_of_schedules(heir, user.get_full_name(), paused)
    return paused


@owner_page
@fresh_mfa
@require_POST
def ask_again(request: HttpRequest, membership: Membership) -> HttpResponse:
    email = request.POST.get("email", "")
    try:
        members.ask_again(owner=membership, email=email, request=request)
    except members.NotValid as problem:
        messages.error(request, problem.message)
    except OSError:
        messages.error(request, _MAIL_FAILED)
    else:
        messages.success(request, _("The invitation was sent to %s.") % email)
    return redirect("team", partner=membership.partner.slug)


@owner_page
@require_POST
def withdraw(request: HttpRequest, membership: Membership) -> HttpResponse:
    members.withdraw(owner=membership, email=request.POST.get("email", ""), request=request)
    messages.success(request, _("The invitation is withdrawn: its link opens nothing."))
    return redirect("team", partner=membership.partner.slug)


def _limits(member: Membership | Invitation, titles: dict[int, str]) -> dict[str, Any]:
    """The limit of a place by name; titles that this owner cannot see are counted."""
    limit = member.limit_titles
    return {
        "titles": None if limit is None else [titles[pk] for pk in limit if pk in titles],
        "others": 0 if limit is None else sum(pk not in titles for pk in limit),
        "families": None
        if member.limit_families is None
        else [family(f) for f in member.limit_families],
    }
