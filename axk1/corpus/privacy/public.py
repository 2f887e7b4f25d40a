"""What looks like personal data and is public or an example by design: reserved names, documentation ranges, tests."""

import ipaddress
import re

__all__ = ["is_example_card", "is_example_mac", "is_public_address", "is_public_email"]

_DOMAINS = re.compile(
    r"(?i)(?:^|\.)(?:example\.\w+|example|test|localhost|local|invalid|internal|lan|corp|arpa"
    r"|(?:contoso|fabrikam|northwindtraders|adventure-works|adventureworks|woodgrove\w*|tailspintoys|wingtiptoys|litware"
    r"|litwareinc|cohowinery|proseware|relecloud|treyresearch|fourthcoffee|margiestravel|bellowscollege|datum)[\w-]*"
    r"(?:\.[\w-]+)+"
    r"|(?:your|my|some|the)?-?(?:domain|company|tenant|org|organization|site|server|host|email|mail)(?:name)?"
    r"\.(?:com|net|org|onmicrosoft\.com)|onmicrosoft\.com|(?:foo|bar|baz|abc|xyz|acme|test)\.(?:com|net|org)"
    r"|contoso|tld|x{3,}\.com|my\w+\.com|users\.noreply\.github\.com|gserviceaccount\.com)$"
)
_ROLES = re.compile(
    r"(?i)^(?:no-?reply|do-?not-?reply|info|support|help|helpdesk|webmaster|postmaster|admin|administrator|contact|sales"
    r"|security|abuse|press|privacy|root|git|hello|office|team|service|cs|master|feedback|opensource|user\d*|username"
    r"|name|someone|somebody|anyone|you|me|foo|bar|test\d*|example|your-?\w*|first\.?last|firstname\.lastname)$"
)
_DESKS = re.compile(  # lists, teams and desks: a word of theirs as a part of the address
    r"(?i)(?:^|[-_.+])(?:feedback|support|list|lists|project|projects|team|docs|developers?|dev|users|announce|blog|request"
    r"|help|hub|community|committee|discuss|service|center|conduct|coc|noreply|bot|testing|opencode)$|(?:supp|request|feedback|onboard)$"
)
_FILE_ENDS = re.compile(r"(?i)\.(?:png|jpe?g|gif|svg|webp|js|ts|json|css|html?|py|md|ya?ml|so|dll|exe|service|target)$")
_RESOLVERS = frozenset(
    {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "168.126.63.1", "168.126.63.2", "168.63.129.16"}
)
_EXAMPLES = ("131.107.", "123.45.67.", "98.76.54.", "123.123.123.", "1.2.3.", "11.22.33.", "192.88.99.")
_CARDS = frozenset(
    {
        "4111111111111111", "4242424242424242", "4012888888881881", "4000056655665556", "5555555555554444",
        "5105105105105100", "378282246310005", "371449635398431", "6011111111111117", "30569309025904",
        "3530111333300000", "38520000023237", "4000000000000002", "5200828282828210",
    }
)  # fmt: skip  # published by payment services for testing
_MACS = re.compile(
    r"^(?:(..)\1{5}|0123456789ab|001122334455|aabbccddeeff|123456789abc|112233445566|123456.*|122334.*|00005e0053..)$"
)


def is_public_email(address: str) -> bool:
    """Reserved domains (RFC 2606, RFC 6761), the made-up companies of documentation, addresses of a desk or a machine,
    and what is no address at all, such as image@2x.png."""
    local, _, domain = address.rpartition("@")
    return bool(_DOMAINS.search(domain) or _ROLES.match(local) or _DESKS.search(local) or _FILE_ENDS.search(domain))


def is_public_address(value: str) -> bool:
    """Whether an IP address names no single machine on the internet: private, loopback, documentation (RFC 5737, 3849),
    multicast, reserved, or an open resolver. True for what is no address."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return True
    return (
        not address.is_global
        or address.is_multicast
        or value in _RESOLVERS
        or value.startswith(_EXAMPLES)
        or value.endswith(".0")
    )


def is_example_card(digits: str) -> bool:
    """Published test numbers, and digits that a person makes up: few different ones."""
    return digits in _CARDS or len(set(digits)) <= 3


def is_example_mac(value: str) -> bool:
    """Null, broadcast, counted-up and documentation (RFC 7042) hardware addresses."""
    plain = re.sub("[:-]", "", value).lower()
    return bool(_MACS.match(plain)) or int(plain[:2], 16) % 2 == 1  # odd: a group address, of no one machine
