"""Whether this is production or development, as far as the environment or Django says so."""

from __future__ import annotations

from collections.abc import Mapping

_VARIABLES = (
    *("ENV", "ENVIRONMENT", "APP_ENV", "APP_ENVIRONMENT", "DJANGO_ENV", "FLASK_ENV"),
    *("FASTAPI_ENV", "PYTHON_ENV", "DEPLOY_ENV", "DEPLOYMENT_ENVIRONMENT", "STAGE"),
    *("SENTRY_ENVIRONMENT", "DD_ENV", "VERCEL_ENV", "RAILWAY_ENVIRONMENT_NAME"),
)
_PRODUCTION = frozenset({"production", "prod", "live"})
_DEVELOPMENT = frozenset({"development", "dev", "local", "test", "testing", "ci"})


def production(environ: Mapping[str, str]) -> str | None:
    """What says that this is production; None if nothing does."""
    return _variable(environ, _PRODUCTION)


def development(environ: Mapping[str, str]) -> str | None:
    """What says that this is development or a test; None if nothing does."""
    return _variable(environ, _DEVELOPMENT)


def _variable(environ: Mapping[str, str], words: frozenset[str]) -> str | None:
    for name in _VARIABLES:
        word = environ.get(name, "").strip().lower()
        if word in words:  # which are all that is ever shown
            return f"{name}={word}"
    return None
