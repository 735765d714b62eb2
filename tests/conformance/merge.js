// merge.js LINES HAR... - one HAR of entries, one a line, and of HARs. Entries with very large bodies
// are left out: they take long to judge, and say nothing that small ones do not.
'use strict';
const fs = require('fs');
const LINE_MAX = 300000;
const [lines, ...hars] = process.argv.slice(2);

const entries = [];
for (const file of hars.filter((f) => fs.existsSync(f)))
    for (const entry of JSON.parse(fs.readFileSync(file, 'utf8')).log.entries)
        entries.push(JSON.stringify(entry));
entries.push(...fs.readFileSync(lines, 'utf8').split('\n'));
process.stdout.write('{"log":{"version":"1.2","creator":{"name":"jobd","version":"1"},"entries":[');
process.stdout.write(entries.filter((e) => e && e.length <= LINE_MAX).join(',\n'));
process.stdout.write(']}}\n');
