// smoke.js HAR - every operation of the contract, with each of its statuses that can be had by a
// rule, sent through `redocly proxy`, which records it in the file HAR. Made from openapi.json, so
// that a new operation is in it without a word here.
'use strict';
const http = require('http');
const path = require('path');
const { spawn } = require('child_process');
const { root, start, sleep, until } = require('./server.js');

const api = require(path.join(root, 'openapi/openapi.json'));
const METHODS = ['get', 'post', 'delete', 'patch', 'put'];
const UNKNOWN = '01937f6c-0000-7000-8000-000000000000';

const follow = (node) => {
    while (node && node.$ref)
        node = node.$ref.slice(2).split('/').reduce(
            (at, key) => at[key.replace(/~1/g, '/').replace(/~0/g, '~')], api);
    return node;
};

const operations = Object.entries(api.paths).flatMap(([template, item]) =>
    METHODS.filter((m) => item[m]).map((method) => ({
        method: method.toUpperCase(), template, op: item[method],
        parameters: [...(item.parameters || []), ...(item[method].parameters || [])].map(follow),
    })));

function send(base, { method, target, headers = {}, body }) {
    return new Promise((done, failed) => {
        const to = new URL(base);
        headers = Object.fromEntries(Object.entries(headers).filter(([, value]) => value));
        const rq = http.request({ host: to.hostname, port: to.port, method, path: target, headers,
                                  agent: false, timeout: 20000 }, (rs) => {
            const parts = [];
            rs.on('data', (part) => parts.push(part));
            rs.on('error', failed);
            rs.on('end', () => done({ status: rs.statusCode, headers: rs.headers,
                                      body: Buffer.concat(parts).toString() }));
        });
        rq.on('timeout', () => rq.destroy(new Error(`${method} ${target}: no answer in 20 s`)));
        rq.on('error', failed);
        rq.end(body);
    });
}

async function startProxy(target, har) {
    const bin = path.join(__dirname, 'node_modules/.bin/redocly');
    const port = await new Promise((done) => {
        const probe = http.createServer().listen(0, '127.0.0.1', () => {
            const free = probe.address().port;
            probe.close(() => done(free));
        });
    });
    const proxy = spawn(process.execPath,
        [bin, 'proxy', '--target', target, '--port', String(port), '--har', har],
        { stdio: ['ignore', 'ignore', 'ignore'],
          env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } });
    const ended = new Promise((end) => proxy.on('exit', end));
    const url = `http://127.0.0.1:${port}`;
    await until('the proxy is ready', () =>
        send(url, { method: 'GET', target: '/livez' }).then(() => true, () => false));
    return { url, stop: async () => { proxy.kill('SIGINT'); await ended; } };
}

// -- requests -----------------------------------------------------------------------------------

class Smoke {
    constructor(url, keys) {
        this.url = url;
        this.keys = keys;
        this.seen = new Map(); // operationId -> statuses
        this.ids = {};         // value of a path parameter, by its template
    }

    // A right request for the operation; `ids` replaces path parameters.
    request(o, ids = {}) {
        const target = o.template.replace(/\{(\w+)\}/g, (_, name) => {
            const parameter = o.parameters.find((p) => p.in === 'path' && p.name === name);
            const kind = o.template.split('/')[2]?.split('{')[0];
            return encodeURIComponent(ids[name] ?? this.ids[`${kind}.${name}`] ?? parameter.example);
        });
        const headers = { Authorization: `Bearer ${this.keys.admin}` };
        let body;
        const content = follow(o.op.requestBody)?.content;
        if (content) {
            const [type, media] = Object.entries(content)[0];
            headers['Content-Type'] = type;
            body = JSON.stringify(follow(Object.values(media.examples)[0]).value);
        }
        if (o.op.operationId.match(/Events$/))
            headers.Accept = 'application/json';
        return { method: o.method, target, headers, body };
    }

    async send(o, rq) {
        const rs = await send(this.url, rq);
        const seen = this.seen.get(o.op.operationId) ?? new Set();
        this.seen.set(o.op.operationId, seen.add(String(rs.status)));
        return rs;
    }

    has(o, status) {
        return this.seen.get(o.op.operationId)?.has(status);
    }

    async submit(body) {
        const o = operations.find((each) => each.op.operationId === 'createJob');
        const rq = this.request(o);
        const rs = await this.send(o, { ...rq, body: JSON.stringify(body),
                                        headers: { ...rq.headers, Prefer: 'wait=20' } });
        return JSON.parse(rs.body).id;
    }
}

const CHANGES = ['POST', 'PATCH', 'PUT', 'DELETE'];

// How to get a status from an operation that declares it: a changed request.
const PROVOKE = {
    400: (rq) => ({ ...rq, target: rq.target + '?no_such_parameter=1' }),
    401: (rq) => ({ ...rq, headers: { ...rq.headers, Authorization: undefined } }),
    403: (rq, keys) => ({ ...rq, headers: { ...rq.headers, Authorization: `Bearer ${keys.narrow}` } }),
    406: (rq) => ({ ...rq, headers: { ...rq.headers, Accept: 'image/png' } }),
    413: (rq) => ({ ...rq, body: JSON.stringify({ name: 'x'.repeat(100000) }) }),
    415: (rq) => ({ ...rq, headers: { ...rq.headers, 'Content-Type': 'text/plain' } }),
    416: (rq) => ({ ...rq, headers: { ...rq.headers, Range: 'bytes=99999999-' } }),
    206: (rq) => ({ ...rq, headers: { ...rq.headers, Range: 'bytes=0-0' } }),
    422: (rq) => ({ ...rq, body: '{"no_such_field":1}' }),
    429: (rq, keys) => ({ ...rq, headers: { ...rq.headers, Authorization: `Bearer ${keys.slow}` } }),
};

async function everyRule(smoke, o) {
    const right = smoke.request(o);
    const ids = { id: UNKNOWN, name: 'no-such', number: 99, code: 'no-such-code', stream: 'no-such' };
    for (const status of Object.keys(o.op.responses)) {
        if (PROVOKE[status])
            await smoke.send(o, PROVOKE[status](right, smoke.keys));
        else if (status === '404')
            await smoke.send(o, smoke.request(o, ids));
        else if (status === '410')
            await smoke.send(o, smoke.request(o, { id: smoke.removed }));
        else if (status === '303')
            for (const rest of ['', '?on_complete=redirect'])
                await smoke.send(o, { ...right, target: right.target + rest,
                                      headers: { ...right.headers, Accept: 'text/html, */*' } });
    }
    if (o.op.responses['204'] && o.method === 'GET') { // a stream whose end was seen
        const last = JSON.parse((await smoke.send(o, right)).body).items.at(-1).id;
        await smoke.send(o, { ...right, headers: { ...right.headers, Accept: 'text/event-stream',
                                                   'Last-Event-ID': last } });
    }
    if (o.op.responses['304']) {
        const rs = await smoke.send(o, right);
        await smoke.send(o, { ...right, headers: { ...right.headers, 'If-None-Match': rs.headers.etag ?? '*' } });
    }
    await smoke.send(o, right);
}

// What needs a state of its own; the rest is by rule.
async function prepare(smoke) {
    smoke.ids['jobs.id'] = await smoke.submit({ function: 'report' });
    smoke.ids['jobs.number'] = '1';
    smoke.ids['jobs.stream'] = 'stdout';
    smoke.ids['jobs.path'] = 'summary.txt';
    smoke.ids['functions.name'] = 'sha256';
    smoke.removed = await smoke.submit({ function: 'wordcount', stdin: 'a b' });
    const remove = operations.find((o) => o.op.operationId === 'deleteJob');
    const rq = smoke.request(remove, { id: smoke.removed });
    await smoke.send(remove, { ...rq, target: rq.target + '?purge=true' });
    const batch = operations.find((o) => o.op.operationId === 'createBatch');
    if (batch)
        smoke.ids['batches.id'] = JSON.parse((await smoke.send(batch, smoke.request(batch))).body).id;
}

// A server that shuts down refuses all that changes something.
async function drain(smoke, server) {
    const nap = operations.find((o) => o.op.operationId === 'createJob');
    const rq = smoke.request(nap);
    await smoke.send(nap, { ...rq, body: '{"function":"nap"}' });
    await sleep(500);
    server.child.kill('SIGTERM');
    await sleep(500);
    for (const o of operations.filter((each) => CHANGES.includes(each.method)))
        await smoke.send(o, smoke.request(o)).catch(() => {});
}

async function main(har) {
    const server = await start('drain_timeout: 20s\n');
    const keys = { admin: server.key('--scope', 'admin,jobs:command'),
                   narrow: server.key('--scope', 'metrics:read'),
                   slow: server.key('--scope', 'admin', '--rate', '1/3600') };
    const proxy = await startProxy(server.url, har);
    const smoke = new Smoke(proxy.url, keys);
    try {
        await prepare(smoke);
        // The one request that the slow key has.
        await send(server.url, { method: 'GET', target: '/v1/whoami',
                                 headers: { Authorization: `Bearer ${keys.slow}` } });
        for (const last of [false, true]) // those that end a job at last
            for (const o of operations.filter((each) => (each.method === 'DELETE') === last))
                await everyRule(smoke, o);
        await drain(smoke, server);
    } finally {
        await proxy.stop();
        await server.stop();
    }
    const statuses = [...smoke.seen.values()].reduce((n, each) => n + each.size, 0);
    console.log(`${smoke.seen.size} of ${operations.length} operations, ${statuses} statuses, through redocly proxy`);
    return smoke.seen.size === operations.length ? 0 : 1;
}

main(process.argv[2]).then((code) => { process.exitCode = code; }, (e) => {
    console.error(e.message);
    process.exitCode = 1;
});
