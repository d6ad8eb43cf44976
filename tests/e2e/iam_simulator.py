"""Evaluates IAM policies as AWS does, as far as weir's go: Allow statements, wildcards, StringEquals and StringLike."""

import fnmatch
import re


def _like(pattern, text):
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), text) is not None


def _list(value):
    return value if isinstance(value, list) else [value]


def _holds(condition, context):
    for operator, keys in condition.items():
        for key, allowed in keys.items():
            value = context.get(key)
            if value is None:
                return False
            if operator == "StringEquals":
                if value not in _list(allowed):
                    return False
            elif operator == "StringLike":
                if not any(_like(pattern, value) for pattern in _list(allowed)):
                    return False
            else:
                raise AssertionError(f"operator {operator} is not known here")
    return True


def allowing(policy, action, resource, **context):
    """The Sids of the statements that allow it."""
    assert policy["Version"] == "2012-10-17"
    context = {key.replace("__", ":"): value for key, value in context.items()}
    return [
        s["Sid"]
        for s in policy["Statement"]
        if s["Effect"] == "Allow"
        and any(_like(pattern.lower(), action.lower()) for pattern in _list(s["Action"]))
        and any(_like(pattern, resource) for pattern in _list(s["Resource"]))
        and _holds(s.get("Condition", {}), context)
    ]


def allows_inference(policy, region, account, model, stream=False, destinations=None):
    """A call as AWS checks it: the profile, then the model where it may run. Returns what is refused."""
    action = "bedrock:InvokeModelWithResponseStream" if stream else "bedrock:InvokeModel"
    geo, _, base = model.partition(".")
    if "." not in base or geo in ("anthropic", "amazon", "meta", "mistral"):
        checks = [(f"arn:aws:bedrock:{region}::foundation-model/{model}", {"aws__RequestedRegion": region})]
    else:
        profile = f"arn:aws:bedrock:{region}:{account}:inference-profile/{model}"
        through = {"bedrock__InferenceProfileArn": profile}
        checks = [(profile, {"aws__RequestedRegion": region})]
        for place in destinations or [region]:
            checks.append((f"arn:aws:bedrock:{place}::foundation-model/{base}", {"aws__RequestedRegion": place, **through}))
        if geo == "global":
            checks = checks[:1] + [
                (f"arn:aws:bedrock:{region}::foundation-model/{base}", {"aws__RequestedRegion": region, **through}),
                (f"arn:aws:bedrock:::foundation-model/{base}", {"aws__RequestedRegion": "unspecified", **through}),
            ]
    return [resource for resource, context in checks if not allowing(policy, action, resource, **context)]
