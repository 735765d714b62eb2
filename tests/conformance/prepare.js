// prepare.js FILE - what specmatic is to test, written to FILE: openapi.json, fitted to the server at
// JOBD_URL, after its jobs have been made.
//
// specmatic makes requests out of schemas and expects of a right one the answer of 2xx. It knows one
// member at a time, and nothing of what is there. So paths name what is there (the contract's own ids
// are nobody's); members that exclude each other, or that ask for a state, go; of several answers of
// 2xx the one stays that such a request has; answers that no request alone brings about go. What it
// cannot be told at all is in LEFT_OUT, with the reason; smoke.js and the API tests have it.
'use strict';
const fs = require('fs');
const path = require('path');
const { until } = require('./server.js');

const api = require(path.join(__dirname, '../../openapi/openapi.json'));
const { JOBD_URL: url, JOBD_TOKEN: token } = process.env;
const METHODS = ['get', 'post', 'delete', 'patch', 'put'];

const LEFT_OUT = {
    retryJob: 'works once for each end of a job',
    changeJob: 'works until the change itself lets the job run',
    revokeApiKey: 'works once for each key',
    rotateApiKey: 'the key that it is given ends',
    getOpenapiJson: 'the contract in itself; test_service compares it byte by byte',
    getOpenapiYaml: 'the same',
};

// Of an operation with several, the success that a plain request has.
const SUCCESS = { createJob: '202', cloneJob: '202', batchCreateJobs: '202', createBatch: '202', listEvents: '200',
                  listJobEvents: '200', deleteJob: '200', cancelJob: '200', cancelBatch: '200', getJobResult: '200',
                  getJobLog: '200', getJobArtifact: '200', getJob: '200' };

// Schemas of requests: members that go, since their value depends on others or on what is there, and
// those that must be there then, where the contract has a choice.
const FIT = {
    JobRequest: { drop: ['command', 'run_at', 'inputs', 'unique', 'env', 'args', 'stdin', 'depends_on'],
                  required: ['function'] },
    BulkRequest: { drop: ['filter'], required: ['ids'] },
    BulkCancelRequest: { drop: ['filter'], required: ['ids'] },
    JobSearch: { drop: ['filter', 'sort', 'view', 'fields', 'cursor'] },
    JobBatchRequest: { drop: ['atomic'] },
    BatchRequest: { drop: ['template', 'array', 'max_concurrency'], required: ['jobs'] },
    ApiKeyRequest: { drop: ['expires_at'] },
};

const call = async (target, body) => {
    const rs = await fetch(url + target, {
        method: body ? 'POST' : 'GET',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body),
    });
    return rs.json();
};

const follow = (node) => {
    while (node && node.$ref)
        node = node.$ref.slice(2).split('/').reduce(
            (at, key) => at[key.replace(/~1/g, '/').replace(/~0/g, '~')], api);
    return node;
};

async function ended(body) {
    const { id } = await call('/v1/jobs', body);
    await until(`job ${id} has ended`, async () =>
        ['succeeded', 'failed', 'canceled'].includes((await call(`/v1/jobs/${id}`)).state));
    return id;
}

async function canceled() {
    const { id } = await call('/v1/jobs', { function: 'nap', delay_seconds: 3600 });
    await call(`/v1/jobs/${id}:cancel`, { mode: 'force' });
    return id;
}

// Of several types of an answer: those that it would have to be asked for, or that the result of the
// job here has not.
const OTHERS = ['text/event-stream', 'text/html', 'application/octet-stream', 'application/x-ndjson'];

const batch = async (closed) => (await call('/v1/batches', {
    closed, jobs: [{ function: 'nap', delay_seconds: 3600 }],
})).id;

async function canceledBatch() {
    const id = await batch(true);
    await call(`/v1/batches/${id}:cancel`, {});
    return id;
}

// A path parameter that has this value, and no other.
function fix(parameter, value) {
    const text = String(value);
    parameter.schema = { type: 'string', enum: [text], description: parameter.description };
    parameter.example = text;
}

function fitAnswers(name, op) {
    const wanted = SUCCESS[name] ?? Object.keys(op.responses).find((s) => s[0] === '2');
    for (const [status, response] of Object.entries(op.responses)) {
        if (status !== wanted && !/^4(00|04|13|15|22)$/.test(status)) {
            delete op.responses[status];
            continue;
        }
        const copy = structuredClone(follow(response));
        for (const [type, media] of Object.entries(copy.content ?? {})) {
            delete media.examples;
            delete media.example;
            if (OTHERS.includes(type) && Object.keys(copy.content).some((t) => !OTHERS.includes(t)))
                delete copy.content[type];
        }
        if (name === 'getJobResult' && status === '200')
            copy.content = { 'text/plain': copy.content['text/plain'] };
        op.responses[status] = copy;
    }
}

function fitRequest(op) {
    const body = op.requestBody && structuredClone(follow(op.requestBody));
    if (!body)
        return;
    for (const [type, media] of Object.entries(body.content)) {
        delete media.examples;
        if (type === 'application/x-ndjson')
            delete body.content[type];
    }
    op.requestBody = body;
}

async function main(file) {
    const values = { 'jobs.id': await ended({ function: 'report' }), 'jobs.number': 1,
                     'jobs.stream': 'stdout', 'jobs.path': 'summary.txt', 'functions.name': 'sha256',
                     'problems.code': 'job-not-found', 'batches.id': await batch(true),
                     'api-keys.id': (await call('/v1/api-keys', { scopes: ['jobs:read'] })).id };
    const perOperation = { cancelJob: await canceled(), deleteJob: await canceled(),
                           bulk: await canceled(), addBatchJobs: await batch(false),
                           closeBatch: await batch(false), cancelBatch: await canceledBatch() };
    for (const [template, item] of Object.entries(api.paths)) {
        const kind = template.split('/').find((s) => s && s !== 'v1')?.split(':')[0];
        for (const method of METHODS.filter((m) => item[m])) {
            const op = item[method];
            const name = op.operationId;
            if (LEFT_OUT[name]) {
                delete item[method];
                continue;
            }
            op.parameters = [...(item.parameters || []), ...(op.parameters || [])]
                .map((p) => structuredClone(follow(p))).filter((p) => p.in === 'path');
            for (const p of op.parameters)
                fix(p, (p.name === 'id' && perOperation[name]) || values[`${kind}.${p.name}`] || p.example);
            fitAnswers(name, op);
            fitRequest(op);
            op.security = op.security.filter((way) => !way.certificate);
        }
        delete item.parameters;
    }
    for (const [name, { drop, required }] of Object.entries(FIT)) {
        const schema = api.components.schemas[name];
        drop.forEach((member) => delete schema.properties[member]);
        ['oneOf', 'anyOf', 'not'].forEach((choice) => delete schema[choice]);
        schema.required = required ?? schema.required;
    }
    delete api.components.securitySchemes.certificate; // specmatic does not know mutualTLS
    api.components.schemas.JobRequest.properties.function = { type: 'string', enum: ['wordcount'] };
    // It would make any UUID of the format, not one of ours; and batchDelete takes what it finds.
    for (const name of ['BulkRequest', 'BulkCancelRequest'])
        api.components.schemas[name].properties.ids.items = { type: 'string', enum: [perOperation.bulk] };
    fs.writeFileSync(file, JSON.stringify(api, null, 1));
    for (const [name, why] of Object.entries(LEFT_OUT))
        console.log(`left out: ${name}: ${why}`);
}

main(process.argv[2]).catch((e) => {
    console.error(e);
    process.exit(1);
});
