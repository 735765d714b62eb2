// drift.js REPORT COVERAGE - what redocly found in the answers, and what was never answered.
'use strict';
const fs = require('fs');
const path = require('path');
const [report, coverage] = process.argv.slice(2).map((f) => JSON.parse(fs.readFileSync(f, 'utf8')));
const api = require(path.join(__dirname, '../../openapi/openapi.json'));
const ENOUGH_PCT = 95;

// Requests may be bad: the tests mean them to be. Answers may not.
const bad = report.problems.filter(
    (p) => p.target === 'response' && p.ruleId !== 'undocumented-endpoint');
for (const p of bad)
    console.log(`${p.method} ${p.path} (${p.status}): ${p.message}`);

// 500 is the answer to what must not happen: nobody can ask for it. It counts for nothing.
let named = 0;
let unanswered = 0;
let uncalled = 0;
const missing = [];
for (const op of coverage.operations) {
    const statuses = op.missing.filter((m) => m.kind === 'response' && m.status !== '500')
        .map((m) => m.status);
    const all = Object.keys(api.paths[op.path][op.method.toLowerCase()].responses)
        .filter((s) => s !== '500');
    named += all.length;
    if (op.missing.some((m) => m.kind === 'operation')) {
        console.log(`${op.operationId}: never called`);
        uncalled++;
        unanswered += all.length;
        continue;
    }
    unanswered += statuses.length;
    if (statuses.length > 0)
        missing.push(`${op.operationId} ${statuses.join(' ')}`);
}
const operations = coverage.operations.length;
const pct = (part, all) => Math.floor(1000 * part / all) / 10;
const operationsPct = pct(operations - uncalled, operations);
const statusesPct = pct(named - unanswered, named);

console.log(`never answered: ${missing.join(', ') || 'nothing'}`);
console.log(`${bad.length} findings in answers; ${operations - uncalled} of ${operations} operations ` +
            `(${operationsPct} %), ${named - unanswered} of ${named} statuses (${statusesPct} %, without 500)`);
process.exit(bad.length > 0 || operationsPct < ENOUGH_PCT || statusesPct < ENOUGH_PCT ? 1 : 0);
