// merge.js HAR LINES - one HAR of one file and of entries, one a line. Those of very large bodies
// are left out: they take long to judge, and say nothing that small ones do not.
'use strict';
const fs = require('fs');
const LINE_MAX = 300000;
const [har, lines] = process.argv.slice(2);

const all = JSON.parse(fs.readFileSync(har, 'utf8'));
for (const line of fs.readFileSync(lines, 'utf8').split('\n'))
    if (line && line.length <= LINE_MAX)
        all.log.entries.push(JSON.parse(line));
process.stdout.write(JSON.stringify(all));
