"""django.contrib.admin with the portal's own site, whose module needs the models loaded."""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class AdminConfig(DjangoAdminConfig):
    default_site = "portal.admin_site.AdminSite"
