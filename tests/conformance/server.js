// server.js - a jobd of one's own: temporary directory, a free port, keys; stopped at the end.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawn, spawnSync } = require('child_process');

const root = path.resolve(__dirname, '../..');
const program = path.resolve(root, process.env.JOBD_BIN || 'build/jobd');

const config = (dir, auth) => `
listen: ["127.0.0.1:0"]
data_dir: ${dir}/data
workers: 2
allow_commands: true
max_body_bytes: 64KiB
max_batch_body_bytes: 64KiB
auth: ${auth}
functions:
  - name: wordcount
    description: Counts words
    command: [wc, -w]
    result: stdout
    inputs: true
  - name: sha256
    command: [sha256sum, "{path}"]
    result: stdout
    inputs: true
    args_schema: {type: object, required: [path], properties: {path: {type: string}}}
  - name: score
    program: [cat]
  - name: report
    command: [sh, -c, 'echo done; echo hello > "$JOBD_ARTIFACTS/summary.txt"']
    result: stdout
  - name: nap
    command: [sleep, "60"]
  - name: fail
    command: [sh, -c, 'echo no such thing >&2; exit 3']
`;

// A bearer token with these options of `jobd key create`.
function makeKey(dir, ...options) {
    const r = spawnSync(program, ['key', 'create', '--data-dir', `${dir}/data`, ...options],
                        { encoding: 'utf8' });
    if (r.status !== 0)
        throw new Error(`jobd key create: ${r.stderr}`);
    return r.stdout.match(/jobd_[A-Za-z0-9_]+/)[0];
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, probe) {
    for (let i = 0; i < 600; i++) {
        const got = await probe();
        if (got)
            return got;
        await sleep(50);
    }
    throw new Error(`${what}: not within 30 s`);
}

async function start(more = '', auth = 'required') {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jobd-conformance.'));
    const log = fs.openSync(`${dir}/log`, 'w');
    fs.writeFileSync(`${dir}/jobd.yaml`, config(dir, auth) + more);
    const child = spawn(program, ['--config', `${dir}/jobd.yaml`], { stdio: ['ignore', log, log] });
    const ended = new Promise((done) => child.on('exit', done));
    const address = await until('jobd is ready', () => {
        if (child.exitCode !== null)
            throw new Error(fs.readFileSync(`${dir}/log`, 'utf8'));
        try {
            return fs.readFileSync(`${dir}/data/run/listen`, 'utf8').split('\n')[0];
        } catch {
            return '';
        }
    });
    const stop = async () => {
        child.kill('SIGTERM');
        const late = setTimeout(() => child.kill('SIGKILL'), 20000);
        await ended;
        clearTimeout(late);
        fs.rmSync(dir, { recursive: true, force: true });
    };
    return { dir, child, stop, url: `http://${address}`, key: (...o) => makeKey(dir, ...o) };
}

module.exports = { root, start, sleep, until };
