"""Settings, all by environment; with none set the embedded default runs.

Every variable stands in .env.example. In production (PRODUCTION, on by itself once DATABASE_URL
is set) a missing or unsafe one stops the start: the checks are in portal/checks.py.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import environ
from django.utils.translation import gettext_lazy as _

from portal.services.paths import Places, socket_dir, var_dir
from portal.storage_url import BadStorageUrl, folder_of, storage_of

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()
if (BASE_DIR / ".env").exists():
    env.read_env(str(BASE_DIR / ".env"))

VAR = var_dir()
PRODUCTION = env.bool("PRODUCTION", default=bool(env.str("DATABASE_URL", default="")))
DEBUG = False
TESTING = "pytest" in sys.modules


def _kept_secret(name: str) -> str:
    """A random secret of this checkout's own, made once; never used in production."""
    path = VAR / "secrets" / name
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # two processes starting at once agree on one
        fresh.unlink()
        return path.read_text()


SECRET_KEY = env.str("SECRET_KEY", default="") or (
    "unset" if PRODUCTION else _kept_secret("django.key")
)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

# The database has three logins, and a process uses the one its command needs: the site and the
# workers never hold the publisher's or the owner's.
_LOGIN_OF_COMMAND = {
    "ingest": "publish",
    "rebuild": "publish",
    "check_freshness": "publish",
    "close_month": "publish",
    "load_sample": "owner",
    "migrate": "owner",
    "makemigrations": "owner",
    "setup_database": "owner",
    "createsuperuser": "owner",
    "sqlmigrate": "owner",
    "showmigrations": "owner",
    "flush": "owner",
    "check_wall": "owner",
    "replay_revocations": "owner",
    "compilemessages": "web",
}
_command = sys.argv[1] if len(sys.argv) > 1 and sys.argv[0].endswith("manage.py") else ""
DATABASE_LOGIN = env.str(
    "DATABASE_LOGIN", default="owner" if TESTING else _LOGIN_OF_COMMAND.get(_command, "web")
)
_LOGINS = {
    "web": ("DATABASE_URL", "dailies_web"),
    "publish": ("PUBLISH_DATABASE_URL", "dailies_publish"),
    "owner": ("OWNER_DATABASE_URL", "dailies_owner"),
}


def database(login: str) -> dict[str, Any]:
    """The connection of one login: by its URL, else the embedded server's socket."""
    variable, user = _LOGINS[login]
    if env.str(variable, default=""):
        settings = dict(env.db_url(variable))
    else:
        settings = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "dailies",
            "USER": user,
            "HOST": str(socket_dir()),
        }
    settings["ENGINE"] = "django.db.backends.postgresql"
    settings["CONN_HEALTH_CHECKS"] = True
    options: dict[str, Any] = {
        **settings.get("OPTIONS", {}),
        "options": "-c lock_timeout=30s -c timezone=UTC",
    }
    if login == "web" and not TESTING:
        options["options"] += " -c statement_timeout=60s"
        options["pool"] = {"min_size": 1, "max_size": 8, "timeout": 10}
    settings["OPTIONS"] = options
    return settings


DATABASES = {"default": database(DATABASE_LOGIN)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default=f"unix://{socket_dir()}/valkey.sock?db=0")
# Nothing is cached: partner data never, and what counts attempts is in PostgreSQL.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

BASE_URL = env.str("BASE_URL", default="http://localhost:8000").rstrip("/")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"]
)
PORTAL_NAME = env.str("PORTAL_NAME", default="Dailies")

# --- numbers ---------------------------------------------------------------------------------
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Shanghai")  # the platform's reporting days
USE_TZ = True
HOME_TERRITORY = env.str("HOME_TERRITORY", default="CN")
SETTLE_DAYS = env.int("SETTLE_DAYS", default=2)
FLOOR = 50  # viewers; not a setting of a deployment: docs/privacy.md promises it
ENGINE_URL = env.str("ENGINE_URL", default="embedded://")
SOURCES = VAR / "sources"
STAGING = VAR / "staged"
PEOPLE = VAR / "people"  # who watched, by day: unprotected, the pipeline's own
STORAGE_URL = env.str("STORAGE_URL", default=f"file://{VAR / 'files'}")
STORAGE_ROOT = folder_of(STORAGE_URL)  # None: a bucket
AUDIT_ANCHOR = Path(env.str("AUDIT_ANCHOR", default="") or VAR / "audit" / "anchor.jsonl")
PUBLISHER_KEY = b""
if DATABASE_LOGIN in ("publish", "owner"):  # the web never holds the key of the sketches
    PUBLISHER_KEY = (
        env.str("PUBLISHER_KEY", default="")
        or ("" if PRODUCTION else _kept_secret("publisher.key"))
    ).encode()

# --- the site --------------------------------------------------------------------------------
INSTALLED_APPS = [
    "portal.admin_config.AdminConfig",  # django.contrib.admin with the portal's own site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_linear_migrations",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "engagement",
    "partners",
    "reports",
    "portal",
]
MIDDLEWARE = [
    "portal.web.middleware.NoStoreMiddleware",
    "portal.web.throttle.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.web.middleware.PermissionsMiddleware",
    "portal.web.sessions.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.web.throttle.ThrottleMiddleware",
    "portal.web.second_factor.SecondFactorMiddleware",
    "portal.web.middleware.RoleMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.context.portal",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR / "static"
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(VAR / "uploads")},  # nothing is uploaded
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
with contextlib.suppress(BadStorageUrl):  # portal/checks.py says what is wrong with it
    STORAGES["bundles"] = storage_of(STORAGE_URL)
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = TESTING  # no folder of collected files needed

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_SAMESITE = "Lax"

# --- people ----------------------------------------------------------------------------------
AUTH_USER_MODEL = "partners.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 15},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "partners.passwords.NotTooLong"},
    {"NAME": "partners.passwords.NotOfThisPlace"},
]
LOGIN_URL = "/account/login/"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "portal.web.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = BASE_URL.split(":", 1)[0]
MFA_ADAPTER = "portal.web.second_factor_pages.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "portal.web.second_factor_pages.AuthenticateForm",
    "reauthenticate": "portal.web.second_factor_pages.ReauthenticateForm",
    "activate_totp": "portal.web.second_factor_pages.SetUpTOTPForm",
}
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_RECOVERY_CODE_DIGITS = 10
FRESH_SECOND_FACTOR_SECONDS = env.int("FRESH_SECOND_FACTOR_SECONDS", default=900)
ACCOUNT_RATE_LIMITS = False  # portal/web/throttle.py counts, in PostgreSQL
MFA_RATE_LIMITS = False
# The forms that look an address up answer at multiples of this, whatever they found.
ANSWER_SECONDS = env.float("ANSWER_SECONDS", default=0.0 if TESTING else 0.5)
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

SESSION_ENGINE = "partners.session_store"
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=12 * 60)
SESSION_HOURS = env.int("SESSION_HOURS", default=7 * 24)
STAFF_SESSION_IDLE_MINUTES = env.int("STAFF_SESSION_IDLE_MINUTES", default=60)
STAFF_SESSION_HOURS = env.int("STAFF_SESSION_HOURS", default=12)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BASE_URL.startswith("https:")
SECURE_HSTS_SECONDS = 31_536_000 if SESSION_COOKIE_SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SESSION_COOKIE_SECURE
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SESSION_COOKIE_SECURE else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
USE_X_FORWARDED_HOST = False  # a proxy passes Host on; whoever else says where we are is not asked
CSRF_FAILURE_VIEW = "portal.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- mail ------------------------------------------------------------------------------------
EMAIL_URL = env.str("EMAIL_URL", default="")
vars().update(
    env.email_url_config(EMAIL_URL or f"smtp://127.0.0.1:{Places.here().mail_port() or 8025}")
)
if TESTING:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_TIMEOUT = 30  # seconds that a server may be silent
EMAIL_DEADLINE = 300  # seconds that it may take for a whole mail
DEFAULT_FROM_EMAIL = env.str("FROM_EMAIL", default="Dailies <no-reply@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- work in the background: Postgres rows are the truth, the broker is only a bell ------------
CELERY_BROKER_URL = (
    REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
CELERY_WORKER_CONSUMER = "portal.broker:Consumer"  # what is not ours does not end a worker
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A worker takes from both in turn: a hundred bundles hold up neither the sweep nor the mail.
CELERY_TASK_QUEUES: dict[str, dict[str, Any]] = {"celery": {}, "bundles": {}}
CELERY_TASK_ROUTES = {"reports.build_bundle": {"queue": "bundles"}}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "visibility_timeout": 3600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "max_retries": 0,  # whoever rings does not wait for a broker that is away: 6 s by default
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SOFT_TIME_LIMIT = 540  # the longest a bundle may take; then it has failed, in words
CELERY_TASK_TIME_LIMIT = 600  # its process is killed, and the sweep takes the bundle back
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1_000_000  # KiB; a child beyond it ends after its task
JOB_LEASE_SECONDS = env.int("JOB_LEASE_SECONDS", default=30)  # a dead worker is noticed then
JOB_RING_SECONDS = env.int("JOB_RING_SECONDS", default=30)  # what waits is rung for this often
# Bundles of one partner that are made at once: keep it below the number of workers, so that one is
# always left for the others.
BUNDLES_AT_ONCE = env.int("BUNDLES_AT_ONCE", default=1)
JOB_BACKOFF_SECONDS = env.int("JOB_BACKOFF_SECONDS", default=5)
RENDER_SECONDS = env.int("RENDER_SECONDS", default=60)  # then the process that renders is killed
RENDER_MEMORY_MB = env.int("RENDER_MEMORY_MB", default=1024)
REPORT_SIGNING_KEY = env.str("REPORT_SIGNING_KEY", default="", multiline=True)
REPORT_SIGNING_CERTIFICATE = env.str("REPORT_SIGNING_CERTIFICATE", default="", multiline=True)
KEEP_BUNDLES_DAYS = env.int("KEEP_BUNDLES_DAYS", default=30)
# A larger file is not attached: the mail has the link alone.
ATTACH_MOST_MB = env.int("ATTACH_MOST_MB", default=10)
REMIND_DAYS = sorted({int(d) for d in env.list("REMIND_DAYS", default=["60", "30", "7"])})
CELERY_TIMEZONE = TIME_ZONE

# --- REST ------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.api.authentication.TokenAuthentication",
        "portal.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.api.errors.handler",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS tells nothing
    "URL_FORMAT_OVERRIDE": None,
    "DATE_FORMAT": "%Y-%m-%d",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Dailies",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "portal.logs.Formatter",
            "fmt": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        name: {"level": "WARNING"} for name in ("weasyprint.progress", "fontTools", "pikepdf")
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
