// drift.js REPORT COVERAGE - what redocly found in the answers, and what was never answered.
'use strict';
const fs = require('fs');
const [report, coverage] = process.argv.slice(2).map((f) => JSON.parse(fs.readFileSync(f, 'utf8')));

// Requests may be bad: the tests mean them to be. Answers may not.
const bad = report.problems.filter(
    (p) => p.target === 'response' && p.ruleId !== 'undocumented-endpoint');
for (const p of bad)
    console.log(`${p.method} ${p.path} (${p.status}): ${p.message}`);

let answers = 0;
let unanswered = 0;
const missing = [];
for (const op of coverage.operations) {
    const statuses = op.missing.filter((m) => m.kind === 'response').map((m) => m.status);
    if (op.missing.some((m) => m.kind === 'operation')) {
        console.log(`${op.operationId}: never called`);
        unanswered++;
    }
    if (statuses.length > 0)
        missing.push(`${op.operationId} ${statuses.join(' ')}`);
    answers++;
}
console.log(`${answers - unanswered} of ${answers} operations were called; ` +
            `${bad.length} answers are not what openapi.yaml says`);
console.log(`never answered: ${missing.join(', ') || 'nothing'}`);
process.exit(bad.length > 0 || unanswered > 0 ? 1 : 0);
