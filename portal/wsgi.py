import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from portal.login import refuse_wrong_login  # noqa: E402  once the settings are loaded

refuse_wrong_login()
