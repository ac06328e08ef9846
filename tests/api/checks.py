"""What schemathesis does not know of this API: which refusals are business, and which would be a fault.

Loaded by kitchen.toml and backend.toml. A 503 is a way to say no in this API, with a type that says which; so every 5xx must be of a type
that a healthy system may answer, and whoever keeps to the description is never told that the form of the request is wrong.
"""

import json

import schemathesis

PREFIX = "urn:brigade:problem:"

# Of a system in which all processes run: the kitchen has closed, can't cook, waits for a replica that is not there, or is full.
BUSINESS = {"kitchen-draining", "kitchen-out-of-order", "catching-up", "no-kitchen", "too-many-streams"}

# Between two leaders, which a busy machine has more often than its kitchen needs: now and then, and never for long.
UNREST = {"no-leader", "no-quorum", "outcome-unknown", "time-limit"}
SEEN = {"answers": 0, "unrest": 0}

# Somebody says that a request, which keeps to the description, is not understood. Ids that are not known and states that do not allow it are fine.
FORM = {"malformed-json", "bad-id", "bad-query", "unsupported-media-type", "unknown-field", "too-large", "missing-idempotency-key"}

# Rules that a schema does not tell: `invalid` is fine here.
RULES = {
    "decide_incident": "on_device, and only on_device, needs a place",
    "place_order": "the settings say how many pizzas an order may have",
    "place_order_by_key": "the settings say how many pizzas an order may have",
    "register_kitchen": "mode poll needs urls",
    "exchange": "outcomes are numbered from `first` on, without gap",
    "heed_backend": "as_of is not from the future, and v is 1",
    "put_settings": "a zone or a shelf has a name",
    "hold_kitchen": "a zone's name is limited in bytes, not in characters",
    "resume_kitchen": "a zone's name is limited in bytes, not in characters",
    "put_recipe": "title and program are limited in bytes, not in characters",
}


# JSON Schema calls 1.0 a whole number; this API does not, and says so.
FRACTION = "invalid type: floating point"


# Longer ones take what would be many cases' time, and more than an answer may.
LONGEST_POLL_S = 3

# What is on both menus: an order of what is on none ends at the door.
ORDERING = {"place_order", "place_order_by_key", "quote_order"}


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Orders that keep to the description are of something that there is, for three in four. A poll waits for no more than a moment."""
    if str((case.query or {}).get("wait", "")).isdigit():
        case.query["wait"] = min(int(case.query["wait"]), LONGEST_POLL_S)
    valid = case.meta is not None and case.meta.generation.mode.is_positive
    if valid and name_of(case) in ORDERING and isinstance(case.body, dict) and len(case.body.get("items", [])) % 4 != 3:
        case.body = {**case.body, "items": ["margherita" for _ in case.body["items"]]}


def name_of(case):
    return case.operation.definition.raw.get("operationId")


def type_of(response):
    if not (response.headers.get("content-type") or [""])[0].startswith("application/problem+json"):
        return None
    return json.loads(response.content)["type"].removeprefix(PREFIX)


@schemathesis.check
def only_business_is_refused_with_a_server_error(ctx, response, case):
    """Nothing fails: what is refused with 5xx is refused for a reason that a healthy system has."""
    SEEN["answers"] += 1
    if response.status_code < 500:
        return
    word = type_of(response)
    SEEN["unrest"] += word in UNREST
    assert word in BUSINESS | UNREST, f"{response.status_code}: {response.content[:300]}"
    assert SEEN["unrest"] <= 20 + SEEN["answers"] / 50, f"{word}, and too often: {SEEN}"


@schemathesis.check
def what_keeps_to_the_description_is_understood(ctx, response, case):
    """A request that is valid by the description is never refused for its form."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400:
        return
    name = name_of(case)
    word = type_of(response)
    if name == "follow_events" and b"limit is for polls" in response.content:
        return
    assert word not in FORM, f"{word}: {response.content[:300]}"
    is_rule = name in RULES or FRACTION in response.content.decode()
    assert word != "invalid" or is_rule, f"invalid: {response.content[:300]}"
