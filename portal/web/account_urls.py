"""Sign-in and passwords by allauth, and invitations.

Only the routes that are used: nobody signs up, and an address is changed by staff.
"""

from __future__ import annotations

from allauth.account import views
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from django.urls import path, re_path
from django.views.generic import RedirectView

from portal.web import sessions, single_sign_on
from portal.web.invitation import invitation
from portal.web.second_factor_pages import confirm, only_by_factor, own_factors

_FACTORS = "second-factor/"

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("signup/", views.signup, name="account_signup"),  # says that it is closed
    path("reauthenticate/", only_by_factor(views.reauthenticate), name="account_reauthenticate"),
    path("email/", RedirectView.as_view(pattern_name="home"), name="account_email"),
    path("confirm-email/", views.email_verification_sent, name="account_email_verification_sent"),
    re_path(
        r"^confirm-email/(?P<key>[-:\w]+)/$", views.confirm_email, name="account_confirm_email"
    ),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/set/", views.password_set, name="account_set_password"),
    path("password/reset/", views.password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("single-sign-on/", single_sign_on.ask, name="single_sign_on_ask"),
    path("single-sign-on/<uuid:id>/", single_sign_on.start, name="single_sign_on"),
    path("single-sign-on/<uuid:id>/back/", single_sign_on.finish, name="single_sign_on_back"),
    path("invitation/<str:token>/", invitation, name="invitation"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("sessions/end/", sessions.end_others, name="sessions-end-others"),
    path("sessions/<uuid:id>/end/", sessions.end_one, name="session-end"),
    path(_FACTORS, mfa.index, name="mfa_index"),
    path(_FACTORS + "sign-in/", mfa.authenticate, name="mfa_authenticate"),
    path(_FACTORS + "confirm/", confirm, name="second_factor_confirm"),
    path(_FACTORS + "confirm/code/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path(
        _FACTORS + "confirm/passkey/",
        passkeys.reauthenticate_webauthn,
        name="mfa_reauthenticate_webauthn",
    ),
    path(_FACTORS + "app/", own_factors(totp.activate_totp), name="mfa_activate_totp"),
    path(
        _FACTORS + "app/remove/",
        own_factors(totp.deactivate_totp, removes=True),
        name="mfa_deactivate_totp",
    ),
    path(_FACTORS + "passkeys/", own_factors(passkeys.add_webauthn), name="mfa_add_webauthn"),
    path(
        _FACTORS + "passkeys/list/",
        RedirectView.as_view(pattern_name="mfa_index"),
        name="mfa_list_webauthn",
    ),
    path(
        _FACTORS + "passkeys/<int:pk>/remove/",
        own_factors(passkeys.remove_webauthn, removes=True),
        name="mfa_remove_webauthn",
    ),
    path(
        _FACTORS + "recovery-codes/",
        own_factors(codes.view_recovery_codes),
        name="mfa_view_recovery_codes",
    ),
    path(
        _FACTORS + "recovery-codes/new/",
        own_factors(codes.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
]
