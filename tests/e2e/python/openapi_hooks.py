"""Schemathesis' hooks: the Worker stays as the description's examples want it, and every answer is counted."""
import atexit
import json
import os
from collections import Counter, defaultdict

import requests
import schemathesis

URL, TOKEN, KEY = (os.environ[name] for name in ("WEIR_URL", "WEIR_ADMIN_TOKEN", "WEIR_CLIENT_KEY"))
with open(os.environ["WEIR_DOCUMENT"]) as file:
    DOCUMENT = json.load(file)
# The examples' id of a kept response.
RESPONSE = "resp_0123456789abcdef0123456789abcdef"

statuses = defaultdict(Counter)
session = requests.Session()
is_changed = True


def post(path, token, body):
    answer = session.post(URL + path, json=body, headers={"authorization": f"Bearer {token}"}, timeout=30)
    answer.raise_for_status()
    return answer.json()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts the document back that the examples speak of, and makes the response that they ask for."""
    global is_changed
    if is_changed:
        post("/admin/config?replace=true", TOKEN, DOCUMENT)
        is_changed = False
    if (case.path_parameters or {}).get("id") == RESPONSE:
        case.path_parameters["id"] = post("/v1/responses", KEY, {"model": "gpt-4o", "input": "Hello"})["id"]
    # Wrong passwords are throttled by their address.
    if case.path == "/admin/login":
        case.headers = {**(case.headers or {}), "cf-connecting-ip": f"2001:db8::{sum(statuses[case.operation.label].values()):x}"}


@schemathesis.hook
def after_call(context, case, response):
    global is_changed
    statuses[case.operation.label][response.status_code] += 1
    if case.method != "GET" and response.status_code < 300 and case.path.startswith(("/admin", "/api")):
        is_changed = True


@atexit.register
def tell():
    with open(os.environ["WEIR_STATUSES"], "w") as file:
        json.dump(statuses, file)
