#!/usr/bin/env python3
"""Generate what follows from openapi/openapi.yaml, and check that it does not contradict itself.

    tools/generate.py            write openapi/openapi.json, openapi/docs.html, handlers/routes.def,
                                 handlers/fields.def, domain/scopes.def and base/err.def
    tools/generate.py --check    write nothing; exit 1 when one of them is stale

They are committed, so that a build needs no Python. Needs python3 and python3-yaml.
Exit codes: 0 all is well, 1 the contract contradicts itself or (--check) a file is stale,
2 wrong usage.
"""
import json
import re
import sys
from pathlib import Path

import yaml

sys.dont_write_bytecode = True
import generate_docs  # noqa: E402

SPEC = "openapi/openapi.yaml"
ERRORS = "base/err.def"
INTERNAL = "base/err_internal.def"
SPEC_JSON = "openapi/openapi.json"
DOCS = "openapi/docs.html"
ROUTES = "handlers/routes.def"
FIELDS = "handlers/fields.def"
SCOPES_DEF = "domain/scopes.def"
VERSION = "VERSION"

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
CODES = "x-jobd-codes"
OUTSIDE = "x-jobd-codes-outside-operations"
PROBLEM = "application/problem+json"
PROBLEMS = "x-jobd-problems"
SCOPES = "x-jobd-scopes"
SCHEMES = ["bearer", "certificate"]
MERGE_PATCH = "application/merge-patch+json"
NDJSON = "application/x-ndjson"
BODIES = ({"application/json"}, {"application/json", NDJSON}, {MERGE_PATCH})
SEGMENTS = "x-jobd-segments"  # of a path parameter: true when it may be several segments


class Fault(Exception):
    """The inputs cannot be used at all."""


# --- reading ----------------------------------------------------------------------------------


class CoreLoader(yaml.SafeLoader):
    """YAML restricted to what JSON can say: YAML 1.1 would turn `on` into true and an unquoted
    time stamp into an object, and would let the second of two equal keys win in silence."""

    yaml_implicit_resolvers = {}


for tag, pattern, first in (
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", list("-0123456789")),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)


def construct_map(loader, node):
    result = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        where = f"{SPEC}:{key_node.start_mark.line + 1}"
        if not isinstance(key, str):
            raise Fault(f"{where}: the key {key!r} must be quoted")
        if key in result:
            raise Fault(f"{where}: the key {key!r} is there twice")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


CoreLoader.add_constructor("tag:yaml.org,2002:map", construct_map)


def read_spec(root):
    try:
        return yaml.load((root / SPEC).read_text(encoding="utf-8"), Loader=CoreLoader)
    except yaml.YAMLError as e:
        raise Fault(f"{SPEC}: {e}") from e


def read_internal(root):
    """[(symbol, status, slug)] of the errors that only C knows."""
    text = (root / INTERNAL).read_text(encoding="utf-8")
    rows = re.findall(r'^ERR\((\w+),\s*(\d{3}),\s*"([a-z0-9-]+)"', text, re.M)
    if len(rows) != len(re.findall(r"^ERR\(", text, re.M)):
        raise Fault(f'{INTERNAL}: a line is not ERR(SYMBOL, status, "slug", "title")')
    return rows


# --- looking at the document ------------------------------------------------------------------


def resolve(spec, node):
    """Follow `$ref` (within this document) until there is none."""
    seen = set()
    while isinstance(node, dict) and "$ref" in node:
        ref = node["$ref"]
        if ref in seen or not ref.startswith("#/"):
            raise Fault(f"{SPEC}: $ref {ref!r} does not lead to a value in this file")
        seen.add(ref)
        node = spec
        for part in ref[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or part not in node:
                raise Fault(f"{SPEC}: $ref {ref!r} leads nowhere")
            node = node[part]
    return node


def walk(node, spec):
    """Resolve every reference once, so that a dangling one is reported."""
    if isinstance(node, dict):
        resolve(spec, node)
        for value in node.values():
            walk(value, spec)
    elif isinstance(node, list):
        for value in node:
            walk(value, spec)


def operations(spec):
    """(METHOD, path, operation) in the order of the file."""
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield method.upper(), path, operation


def handler_name(operation_id):
    return "h_" + re.sub(r"([A-Z])", lambda m: "_" + m.group(1).lower(), operation_id)


def body_kind(spec, operation):
    if "requestBody" not in operation:
        return "BODY_NONE"
    body = resolve(spec, operation["requestBody"])
    required = body.get("required", False)
    if MERGE_PATCH in body.get("content", {}):
        return "BODY_MERGE_PATCH"
    if NDJSON in body.get("content", {}):
        return "BODY_JSON_LINES"
    return "BODY_JSON" if required else "BODY_JSON_OPTIONAL"


def err_symbol(slug, problem):
    return problem.get("symbol", slug.replace("-", "_").upper())


def symbol(scope):
    return "SCOPE_" + re.sub(r"[^a-z]", "_", scope).upper()


def scope_of(operation):
    """What `security` asks for: the symbol of domain/principal.h, or None when it is not in one of
    the three forms that jobd knows."""
    security = operation.get("security")
    if security == []:
        return "SCOPE_PUBLIC"
    if not isinstance(security, list) or [list(way) for way in security] != [[s] for s in SCHEMES]:
        return None
    scopes = security[0][SCHEMES[0]]
    if security[1][SCHEMES[1]] != scopes:
        return None
    if not scopes:
        return "SCOPE_ANY"
    return symbol(scopes[0]) if len(scopes) == 1 else None


# --- checks: each returns a list of faults ----------------------------------------------------


def check_operations(spec):
    faults, seen = [], set()
    for method, path, op in operations(spec):
        name = op.get("operationId", "")
        if not re.fullmatch(r"[a-z]+(?:[A-Z][a-z]+)*", name):
            faults.append(f"{method} {path}: operationId {name!r} is not plain camelCase")
        if name in seen:
            faults.append(f"{method} {path}: operationId {name} is there twice")
        seen.add(name)
        body = resolve(spec, op.get("requestBody", {})).get("content", {})
        if body and set(body) not in BODIES:
            faults.append(f"{name}: a request body can only be application/json, with or without"
                          f" {NDJSON}, or {MERGE_PATCH}")
    return faults


def check_scopes(spec):
    faults = []
    known = spec.get(SCOPES, {})
    for scope in known:
        if not re.fullmatch(r"[a-z]+(:[a-z]+)?", scope):
            faults.append(f"{SCOPES}: {scope!r} is not a word, or two with a colon")
    symbols = {symbol(scope) for scope in known} | {"SCOPE_PUBLIC", "SCOPE_ANY"}
    for _, _, op in operations(spec):
        scope = scope_of(op)
        if scope is None:
            faults.append(f"{op['operationId']}: security must be [], or {' and '.join(SCHEMES)} with one"
                          " scope, the same, or none")
        elif scope not in symbols:
            faults.append(f"{op['operationId']}: its scope is not in {SCOPES}")
    return faults


def check_examples(spec):
    """Whoever reads the contract copies from it: every body and every path has an example."""
    faults = []
    for _, path, op in operations(spec):
        name = op["operationId"]
        bodies = [("the request", resolve(spec, op.get("requestBody", {})))]
        bodies += [(s, resolve(spec, r)) for s, r in op["responses"].items()]
        for where, body in bodies:
            for media_type, media in body.get("content", {}).items():
                if not media.get("examples") and "example" not in media:
                    faults.append(f"{name}: {where} has no example of {media_type}")
        for parameter in spec["paths"][path].get("parameters", []) + op.get("parameters", []):
            parameter = resolve(spec, parameter)
            if parameter["in"] == "path" and "example" not in parameter:
                faults.append(f"{name}: the parameter {parameter['name']} has no example")
    return faults


def check_codes(spec, internal):
    """The list of codes itself: clients generate a type from the enum, C its own list."""
    faults, symbols = [], [row[0] for row in internal]
    problems = spec[PROBLEMS]
    for slug, problem in problems.items():
        if set(problem) - {"status", "title", "symbol"} or not problem.get("title"):
            faults.append(f"{PROBLEMS}: {slug} has a status, a title and perhaps a symbol")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
            faults.append(f"{PROBLEMS}: {slug!r} is not words with hyphens")
        if not 400 <= problem.get("status", 0) <= 599:
            faults.append(f"{PROBLEMS}: {slug}: the status must be one of an error")
        symbols.append(err_symbol(slug, problem))
    for name in sorted({name for name in symbols if symbols.count(name) > 1}):
        faults.append(f"{PROBLEMS}: the symbol {name} is there twice (or in {INTERNAL})")
    for name, status, slug in internal:
        if slug not in problems or problems[slug]["status"] != int(status):
            faults.append(f"{INTERNAL}: {name}: {slug} {status} is not in {PROBLEMS}")
    enum = resolve(spec, spec["components"]["schemas"]["ProblemCode"]).get("enum", [])
    for slug in sorted(set(enum) ^ set(problems)):
        faults.append(f"{slug} must be both in {PROBLEMS} and in the enum of ProblemCode")
    return faults


def check_problems(spec):
    """Every problem response names its codes, each belongs there, and none is left over."""
    faults = []
    problems = spec[PROBLEMS]
    used = set(spec.get(OUTSIDE, []))
    for slug in sorted(used - set(problems)):
        faults.append(f"{OUTSIDE}: {slug} is not in {PROBLEMS}")
    for _, _, op in operations(spec):
        for status, response in op["responses"].items():
            response = resolve(spec, response)
            codes = response.get(CODES, [])
            where = f"{op['operationId']} {status}"
            is_problem = status[0] in "45"
            if is_problem != bool(codes):
                faults.append(f"{where}: {'needs' if is_problem else 'must not have'} {CODES}")
            if is_problem and list(response.get("content", {})) != [PROBLEM]:
                faults.append(f"{where}: the content must be {PROBLEM}")
            for slug in codes:
                if slug not in problems:
                    faults.append(f"{where}: {slug} is not in {PROBLEMS}")
                elif problems[slug]["status"] != int(status):
                    faults.append(f"{where}: {slug} has the status {problems[slug]['status']}")
            used.update(codes)
    for slug in sorted(set(problems) - used):
        faults.append(f"{PROBLEMS}: no response lists {slug}")
    return faults


def check_version(spec, root):
    version = (root / VERSION).read_text(encoding="utf-8").strip()
    if spec["info"]["version"] != version:
        return [f"{SPEC}: info.version must be {version}, as in {VERSION}"]
    return []


# --- writing ----------------------------------------------------------------------------------

ROUTES_HEAD = f"""\
/* generated by tools/generate.py from {SPEC}; do not edit
 *
 * ROUTE(method, path, operationId, handler, body, scope)
 * body: BODY_NONE, BODY_JSON (required), BODY_JSON_OPTIONAL, BODY_JSON_LINES or BODY_MERGE_PATCH.
 * scope: what a caller must have (domain/principal.h).
 */
/* clang-format off */
"""


SCOPES_HEAD = f"""\
/* generated by tools/generate.py from {SCOPES} of {SPEC}; do not edit
 *
 * SCOPE(symbol, name, what it allows) - what a key may do. The names are part of the API.
 */
/* clang-format off */
"""


def table(macro, rows):
    last = len(rows[0]) - 1
    widths = [max(len(row[i]) for row in rows) for i in range(last)] + [0]
    lines = [macro + "(" + " ".join(c.ljust(w) for c, w in zip(row, widths)) for row in rows]
    return "\n".join(lines) + "\n/* clang-format on */\n"


def template(spec, path, operation):
    """The path as the router reads it: a parameter that may hold slashes is {name*}."""
    for parameter in spec["paths"][path].get("parameters", []) + operation.get("parameters", []):
        parameter = resolve(spec, parameter)
        if parameter["in"] == "path" and parameter.get(SEGMENTS):
            path = path.replace("{%s}" % parameter["name"], "{%s*}" % parameter["name"])
    return path


def routes_text(spec):
    rows = [
        (method + ",", f'"{template(spec, path, op)}",', op["operationId"] + ",",
         handler_name(op["operationId"]) + ",", body_kind(spec, op) + ",", scope_of(op) + ")")
        for method, path, op in operations(spec)
    ]
    return ROUTES_HEAD + table("ROUTE", rows)


def scopes_text(spec):
    rows = [(symbol(scope)[len("SCOPE_"):] + ",", f'"{scope}",', f'"{help_text}")')
            for scope, help_text in spec[SCOPES].items()]
    return SCOPES_HEAD + table("SCOPE", rows)


ERRORS_HEAD = f"""\
/* generated by tools/generate.py from {PROBLEMS} of {SPEC}; do not edit
 *
 * ERR(symbol, HTTP status, problem slug, title)
 *
 * The slug is the problem's `code` and the last segment of its `type` (/problems/{{slug}}, RFC
 * 9457); the title is its short, constant summary.
 */
/* clang-format off */
"""


def errors_text(spec):
    lines = []
    for slug, problem in spec[PROBLEMS].items():
        name, title = err_symbol(slug, problem) + ",", json.dumps(problem["title"])
        # Fixed widths: a new code changes no other line, so that branches merge.
        lines.append(f'ERR({name:28} {problem["status"]}, {json.dumps(slug) + ",":36} {title})')
    lines += [f'#include "{INTERNAL}"', "/* clang-format on */"]
    return ERRORS_HEAD + "\n".join(lines) + "\n"


FIELDS_HEAD = f"""\
/* generated by tools/generate.py from {SPEC}; do not edit
 *
 * What `fields` can ask for, of the items of each collection: dotted names, and with ".*" the
 * members that the contract does not name.
 *
 * FIELDS_BEGIN(schema) FIELD(name)... FIELDS_END(schema)
 */
/* clang-format off */
"""


def collections(spec):
    """The names of the schemas of which there are pages: those of `items` in an answer."""
    names = []
    for method, _, op in operations(spec):
        answer = resolve(spec, op["responses"].get("200", {}))
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        items = resolve(spec, schema).get("properties", {}).get("items", {}).get("items", {})
        whole = items.get("anyOf", [items])[0]  # or what is left of it by `fields`
        name = whole.get("$ref", "").rpartition("/")[2]
        if method == "GET" and name and name not in names:
            names.append(name)
    return names


def members(spec, schema, prefix=""):
    """The dotted names of what an object of this schema can have."""
    schema = resolve(spec, schema)
    for part in schema.get("allOf", []):
        yield from members(spec, part, prefix)
    for name, member in schema.get("properties", {}).items():
        yield prefix + name
        yield from members(spec, member, prefix + name + ".")
    if prefix and "properties" not in schema and "allOf" not in schema:
        kind = schema.get("type", "object")
        if "object" in (kind if isinstance(kind, list) else [kind]):
            yield prefix + "*"


def fields_text(spec):
    lines = []
    for name in collections(spec):
        symbol = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
        fields = dict.fromkeys(members(spec, spec["components"]["schemas"][name]))
        lines += [f"FIELDS_BEGIN({symbol})"] + [f'FIELD("{f}")' for f in fields]
        lines += [f"FIELDS_END({symbol})"]
    return FIELDS_HEAD + "\n".join(lines) + "\n/* clang-format on */\n"


def json_text(spec):
    return json.dumps(spec, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def generate(root):
    """{path: text} of everything that is generated from the tree at root."""
    spec = read_spec(root)
    walk(spec, spec)
    faults = check_operations(spec) + check_scopes(spec)
    faults += check_codes(spec, read_internal(root)) + check_problems(spec)
    faults += check_examples(spec) + check_version(spec, root)
    if faults:
        raise Fault("\n".join(faults))
    return {
        SPEC_JSON: json_text(spec),
        DOCS: generate_docs.page(spec, resolve),
        ROUTES: routes_text(spec),
        SCOPES_DEF: scopes_text(spec),
        ERRORS: errors_text(spec),
        FIELDS: fields_text(spec),
    }


def stale(path, text):
    return not path.is_file() or path.read_bytes() != text.encode()


def main(argv):
    if argv not in ([], ["--check"]):
        print("usage: tools/generate.py [--check]", file=sys.stderr)
        return 2
    root = Path(__file__).resolve().parent.parent
    try:
        files = generate(root)
    except (Fault, OSError) as e:
        print(f"tools/generate.py: {e}", file=sys.stderr)
        return 1
    old = [name for name, text in files.items() if stale(root / name, text)]
    for name in old:
        if argv:
            print(f"tools/generate.py: {name} is stale: run tools/generate.py", file=sys.stderr)
        else:
            (root / name).write_text(files[name], encoding="utf-8")
            print(f"wrote {name}")
    return 1 if argv and old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
