"""What other packages put into the admin and staff should not find there.

Addresses decide who may sign in: they are changed by their owner, by a mail to the address.
Second factors are their owner's too, and hold secrets.
"""

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.contrib import admin

for model in (Authenticator, EmailAddress, EmailConfirmation):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
