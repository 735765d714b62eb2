// merge.js LINES HAR... - one HAR of entries, one a line, and of HARs. Of those with very large bodies,
// which take long to judge, the first of its kind is kept.
'use strict';
const fs = require('fs');
const LINE_MAX = 300000;
const [lines, ...hars] = process.argv.slice(2);

const large = new Set();
function isNew(line) {
    const { request, response } = JSON.parse(line);
    const kind = `${request.method} ${new URL(request.url).pathname} ${response.status}`;
    return !large.has(kind) && large.add(kind);
}

const entries = [];
for (const file of hars.filter((f) => fs.existsSync(f)))
    for (const entry of JSON.parse(fs.readFileSync(file, 'utf8')).log.entries)
        entries.push(JSON.stringify(entry));
entries.push(...fs.readFileSync(lines, 'utf8').split('\n'));
process.stdout.write('{"log":{"version":"1.2","creator":{"name":"jobd","version":"1"},"entries":[');
process.stdout.write(entries.filter((e) => e && (e.length <= LINE_MAX || isNew(e))).join(',\n'));
process.stdout.write(']}}\n');
