"""Service of what people have consented to."""

from feature_repo.service import service

SERVICES = (service("consent_v1", "Whether a listener has consented to a purpose", "user_consent"),)
