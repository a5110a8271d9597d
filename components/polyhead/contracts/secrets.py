"""Secrets in the open: what must not be in a configuration, which anybody who sees a run can read.

The formats of tokens and keys are those of Yelp's `detect-secrets`. Of its detectors the ones that only look for
random text or for any address are left out, and none of them asks a server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_WORDS = {
    "APIKEY", "CREDENTIAL", "CREDENTIALS", "CREDS", "KEY", "KEYS", "PASSPHRASE", "PASSWD", "PASSWORD", "PASSWORDS",
    "PWD", "SECRET", "SECRETS", "TOKEN", "TOKENS",
}  # fmt: skip
_LAST_WORDS = {"AUTH", "AUTHORIZATION", "BEARER", "JWT", "PASS", "PAT", "SIG", "SIGNATURE"}
"""Words that name a secret at the end of a name, and something else before: `AUTH_URL`, `PASS_THROUGH`."""

_ENDS = ("APIKEY", "PASSWORD", "SECRET", "TOKEN")
_PLACE_ENDS = ("DIR", "FILE", "NAME", "PATH", "URL")
_PLACES = ("GOOGLE_APPLICATION_CREDENTIALS",)
_SETTINGS = {"true", "false", "yes", "no", "on", "off", "none", "null"}
_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@")
_HEADER = re.compile(r"(?i)\s*(?:authorization:\s*)?(?:basic|bearer|token)\s+(?=\S*\d)[\w.~+/=-]{8,}\s*")
_BEARER = re.compile(r"(?i)\s*(?:authorization:\s*)?bearer\s+\S+\s*")
"""The value of an Authorization header. A short bearer is known in variables alone: texts speak of bearers."""

_PREFIXES = re.compile(
    r"(?:gh[opsur]_|github_pat_|glpat-|hf_|dckr_pat_|pypi-|sk-|xox[abprs]-|ya29\.|GOCSPX-|AIza|AKIA|ASIA)"
    r"[A-Za-z0-9_.-]{12,}"
)
"""How tokens begin by what their issuers publish, where detect-secrets wants another length or has no rule."""

_DETECTORS = (
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"),
    ("cloudant", "CloudantDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("ibm_cloud_iam", "IbmCloudIamDetector"),
    ("ibm_cos_hmac", "IbmCosHmacDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("private_key", "PrivateKeyDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("softlayer", "SoftlayerDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
_SHORTEST = 16
"""Characters of the shortest token that a detector knows."""


IN_THE_OPEN = "contains a password, a token or a signature, which anybody who sees a run could read"
IN_THE_OPEN_HINT = (
    "write the plain address, and let the steps' service account or a Secret under cluster.secrets open it"
)
"""What is wrong with a text that is a secret, and what to do: for every place but a variable."""


def is_secret(name: str, value: object) -> bool:
    """Whether a variable looks as if its value were a secret: by its name, or by what the value is.

    Args:
        name: The variable. `TOKENIZERS_PARALLELISM`, `KEY_FILE` or `KEY_NAME` name no secret; `WANDB_API_KEY`,
            `DB_PASS` or `JWT` do, unless the value is one of a setting, such as `true` or `off`.
        value: What it is set to.
    """
    if isinstance(value, str) and (_BEARER.fullmatch(value) or has_secret(value)):
        return True
    if not value or str(value).lower() in _SETTINGS:
        return False
    words = re.split(r"[^A-Z0-9]+", name.upper())
    if name.upper() in _PLACES or words[-1] in _PLACE_ENDS:
        return False
    return (
        bool(_WORDS & set(words))
        or words[-1] in _LAST_WORDS
        or any(word.endswith(_ENDS) for word in words)
        or (isinstance(value, str) and any(_keyword_detector()(f'{name}: "{value}"')))
    )


def has_secret(text: str) -> bool:
    """Whether a text holds a token, a private key, a password in an address, or a signed address.

    Args:
        text: One value, or a line of a file.
    """
    if _LOGIN.search(text) or _HEADER.fullmatch(text) or _PREFIXES.search(text) or _is_signed(text):
        return True
    if len(text) < _SHORTEST or not _ODD.search(text):
        return False
    return any(any(detect(text)) for detect in _detectors())


_ODD = re.compile(r"[A-Za-z0-9_+/=.:-]{16,}|-----BEGIN")
"""What every detector's match has: a long word."""


def _is_signed(text: str) -> bool:
    """Whether an address has a parameter that opens it, such as `X-Goog-Signature`, `sig` or `access_token`."""
    for address in re.findall(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", text):
        try:
            pairs = parse_qsl(urlsplit(address).query)
        except ValueError:
            continue
        for name, _ in pairs:
            words = set(re.split(r"[^A-Z0-9]+", name.upper()))
            if (_WORDS | _LAST_WORDS) & words or name.upper().endswith(_ENDS):
                return True
    return False


@cache
def _detectors() -> tuple[Callable[[str], Iterator[str]], ...]:
    """The detectors of tokens and keys; importing them takes a while."""
    from importlib import import_module

    found = (getattr(import_module(f"detect_secrets.plugins.{module}"), name)() for module, name in _DETECTORS)
    return tuple(detector.analyze_string for detector in found)


@cache
def _keyword_detector() -> Callable[[str], Iterator[str]]:
    """The detector that goes by the name before a value."""
    from detect_secrets.plugins.keyword import KeywordDetector

    detector: Any = KeywordDetector()
    return lambda text: iter(detector.analyze_string(text))


def texts(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of plain values, with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from texts(part, (*path, key))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from texts(part, (*path, str(i)))
