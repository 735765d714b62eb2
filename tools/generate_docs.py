"""The page that jobd serves at /docs, made from the OpenAPI document: HTML without a script, with
its own style and nothing from elsewhere. Used by tools/generate.py."""
import base64
import hashlib
import html
import json
import re

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

STYLE = """
:root{color-scheme:light dark;--line:#8885;--soft:#8881;--link:#0550ae}
@media(prefers-color-scheme:dark){:root{--link:#7ab7ff}}
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:flex;flex-wrap:wrap}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
nav{flex:1 1 17rem;max-width:22rem;padding:1rem;font-size:.875rem;border-right:1px solid var(--line);
box-sizing:border-box;height:100vh;position:sticky;top:0;overflow:auto}
nav ul{list-style:none;padding:0;margin:.25rem 0 1rem}nav li{overflow-wrap:anywhere}
main{flex:1 1 30rem;min-width:0;max-width:60rem;padding:1rem 2rem}
h1 small{font-weight:normal;opacity:.7;font-size:1rem}
article{border-top:1px solid var(--line);margin-top:2rem}
h3{font-size:1.05rem;overflow-wrap:anywhere}h4{margin:1rem 0 .25rem}
code,pre{font:.875em ui-monospace,monospace;background:var(--soft);border-radius:4px}
code{padding:.1em .25em}pre{padding:.75rem;overflow:auto;line-height:1.35}pre code{background:none;padding:0}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.925rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .5rem;border-bottom:1px solid var(--line)}
th{font-weight:600}td p{margin:0 0 .25rem}td:first-child{white-space:nowrap}
b.m{display:inline-block;min-width:4.2em;font-family:ui-monospace,monospace}
details{margin:.4rem 0}summary{cursor:pointer}
@media(max-width:50rem){nav{position:static;height:auto;max-width:none;border:0}main{padding:1rem}}
"""


def escape(text):
    return html.escape(str(text), quote=True)


# --- the little Markdown that descriptions use ------------------------------------------------


def inline(text):
    parts = re.split(r"(`[^`]+`)", text)
    for i, part in enumerate(parts):
        if part.startswith("`") and part.endswith("`") and len(part) > 2:
            parts[i] = f"<code>{escape(part[1:-1])}</code>"
        else:
            part = escape(part)
            part = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", part)
            parts[i] = re.sub(r"\[([^]]+)\]\(((?:https?:/)?/[^)\s]*)\)", r'<a href="\2">\1</a>', part)
    return "".join(parts)


def markdown(text):
    out = []
    blocks = re.split(r"(^```.*?^```$)", text.strip(), flags=re.M | re.S)
    for block in blocks:
        if block.startswith("```"):
            body = block.split("\n", 1)[1].rsplit("\n", 1)[0]
            out.append(f"<pre>{escape(body)}</pre>")
            continue
        for paragraph in re.split(r"\n\s*\n", block.strip()):
            if not paragraph:
                continue
            if paragraph.startswith("## "):
                out.append(f"<h3>{inline(paragraph[3:])}</h3>")
            elif paragraph.startswith("* "):
                items = re.split(r"^\* ", paragraph, flags=re.M)[1:]
                out.append("<ul>" + "".join(f"<li>{inline(' '.join(i.split()))}</li>" for i in items)
                           + "</ul>")
            else:
                out.append(f"<p>{inline(' '.join(paragraph.split()))}</p>")
    return "\n".join(out)


# --- schemas ----------------------------------------------------------------------------------


def last(ref):
    return ref.rsplit("/", 1)[1]


def bounds(schema):
    """What a value must be, in words."""
    words = []
    for key, text in (("minimum", "at least {}"), ("exclusiveMinimum", "more than {}"),
                      ("maximum", "at most {}"), ("exclusiveMaximum", "less than {}"),
                      ("minLength", "{} characters or more"), ("maxLength", "up to {} characters"),
                      ("minItems", "{} items or more"), ("maxItems", "up to {} items"),
                      ("maxProperties", "up to {} members"), ("pattern", "<code>{}</code>"),
                      ("default", "default <code>{}</code>")):
        if key in schema:
            value = schema[key]
            text_value = value if isinstance(value, str) else json.dumps(value)
            words.append(text.format(escape(text_value)))
    return ", ".join(words)


def type_of(schema):
    if "$ref" in schema:
        name = last(schema["$ref"])
        return f'<a href="#schema-{name}">{name}</a>'
    for key in ("oneOf", "anyOf", "allOf"):
        branches = [s for s in schema.get(key, []) if "$ref" in s or "type" in s]
        if branches:
            return (" and " if key == "allOf" else " or ").join(type_of(s) for s in branches)
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " ".join(f"<code>{escape(v)}</code>" for v in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return "list of " + type_of(schema.get("items", {}))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return "object of " + type_of(schema["additionalProperties"])
    return " or ".join(kind) if isinstance(kind, list) else escape(kind)


def described(node):
    text = markdown(node["description"]) if "description" in node else ""
    schema = node.get("schema", node)
    more = bounds(schema)
    return text + (f"<p><small>{more}</small></p>" if more else "")


def table(heads, rows):
    if not rows:
        return ""
    head = "".join(f"<th>{h}</th>" for h in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}\n</table>"


def schema_section(name, schema):
    rows = []
    required = schema.get("required", [])
    for key, value in schema.get("properties", {}).items():
        mark = " *" if key in required else ""
        rows.append((f"<code>{escape(key)}</code>{mark}", type_of(value), described(value)))
    simple = "" if rows else f"<p>{type_of(schema)}</p>"
    return (f'<article id="schema-{name}"><h3>{name}</h3>{described(schema)}{simple}'
            f"{table(('member (* always there)', 'type', 'meaning'), rows)}</article>")


# --- operations -------------------------------------------------------------------------------


def examples_of(spec, resolve, content):
    out = []
    for media_type, media in content.items():
        examples = media.get("examples") or ({"": {"value": media["example"]}} if "example" in media else {})
        for name, example in examples.items():
            example = resolve(spec, example)
            value = example.get("value")
            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            text = text.replace("\r", "")  # a page has lines of its own
            title = example.get("summary", name)
            out.append(f"<details><summary>{escape(title)} <small>{escape(media_type)}</small></summary>"
                       f"<pre>{escape(text)}</pre></details>")
    return "\n".join(out)


def content_types(content):
    return ", ".join(f"{escape(m)}: {type_of(c.get('schema', {}))}" for m, c in content.items())


def parameters_table(spec, resolve, path, op):
    rows = []
    for p in spec["paths"][path].get("parameters", []) + op.get("parameters", []):
        p = resolve(spec, p)
        mark = " *" if p.get("required") else ""
        rows.append((f"<code>{escape(p['name'])}</code>{mark}<br><small>{p['in']}</small>",
                     type_of(p["schema"]), described(p)))
    return "<h4>Parameters</h4>" + table(("name (* required)", "type", "meaning"), rows) if rows else ""


def responses_table(spec, resolve, op):
    rows = []
    for status, response in op["responses"].items():
        response = resolve(spec, response)
        codes = " ".join(f'<a href="#problem-{c}"><code>{c}</code></a>'
                         for c in response.get("x-jobd-codes", []))
        content = response.get("content", {})
        body = f"<p>{content_types(content)}</p>" if content and not codes else ""
        shown = examples_of(spec, resolve, content)
        rows.append((status, markdown(response["description"]) + codes + body + shown))
    return "<h4>Answers</h4>" + table(("status", "meaning"), rows)


def caller(op):
    security = op.get("security")
    if not security:
        return "Everybody may call it."
    scopes = next(iter(security[0].values()))
    return f"Needs the scope <code>{escape(scopes[0])}</code>." if scopes else "Needs a key."


def operation_section(spec, resolve, path, method, op):
    body = ""
    if "requestBody" in op:
        request = resolve(spec, op["requestBody"])
        body = (f"<h4>Body</h4>{markdown(request.get('description', ''))}"
                f"<p>{content_types(request['content'])}</p>"
                f"{examples_of(spec, resolve, request['content'])}")
    return (f'<article id="{op["operationId"]}"><h3><b class="m">{method.upper()}</b> {escape(path)}</h3>'
            f"<p><strong>{escape(op['summary'])}</strong></p>{markdown(op['description'])}"
            f"<p><small>{caller(op)} <code>{op['operationId']}</code></small></p>"
            f"{parameters_table(spec, resolve, path, op)}{body}{responses_table(spec, resolve, op)}</article>")


def page(spec, resolve):
    groups = {tag["name"]: (tag, []) for tag in spec["tags"]}
    for path, item in spec["paths"].items():
        for method, op in item.items():
            if method in METHODS:
                groups[op["tags"][0]][1].append((path, method, op))
    nav, main = [], []
    for tag, ops in groups.values():
        title = escape(tag.get("x-displayName", tag["name"]))
        nav.append(f"<strong>{title}</strong>\n<ul>")
        main.append(f"<h2>{title}</h2>{markdown(tag['description'])}")
        for path, method, op in ops:
            nav.append(f'<li><a href="#{op["operationId"]}">{escape(op["summary"])}</a></li>')
            main.append(operation_section(spec, resolve, path, method, op))
        nav.append("</ul>")
    nav.append('<a href="#problems">Error codes</a><br><a href="#schemas">Schemas</a><br>'
               '<a href="/openapi.yaml">openapi.yaml</a> <a href="/openapi.json">openapi.json</a>')
    problems = [(f'<span id="problem-{c}"><code>{c}</code></span>', p["status"], escape(p["title"]))
                for c, p in spec["x-jobd-problems"].items()]
    main.append('<h2 id="problems">Error codes</h2>' + table(("code", "status", "title"), problems))
    main.append('<h2 id="schemas">Schemas</h2>')
    main += [schema_section(n, s) for n, s in spec["components"]["schemas"].items()]
    info = spec["info"]
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (f"""<!doctype html>
<!-- generated by tools/generate.py from openapi/openapi.yaml; do not edit -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])}: HTTP API</title>
<style>{STYLE}</style>
</head>
<body>
<nav>
"""
            + "\n".join(nav) + "\n</nav>\n<main>\n"
            + f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
            + f"<p>{escape(info['summary'])}</p>\n" + markdown(info["description"]) + "\n"
            + "\n".join(main) + "\n</main>\n</body>\n</html>\n")
