// with-server.js PROGRAM ARG... - run a program beside a jobd of its own: JOBD_URL, JOBD_TOKEN.
'use strict';
const { spawn } = require('child_process');
const { start } = require('./server.js');

async function main([program, ...args]) {
    const server = await start('', process.env.JOBD_AUTH || 'required');
    try {
        const env = { ...process.env, JOBD_URL: server.url, JOBD_PID: String(server.child.pid),
                      JOBD_TOKEN: server.key('--scope', 'admin,jobs:command') };
        const child = spawn(program, args, { stdio: 'inherit', env });
        return await new Promise((done, failed) => child.on('error', failed).on('exit', done));
    } finally {
        await server.stop();
    }
}

main(process.argv.slice(2)).then((code) => { process.exitCode = code ?? 1; }, (e) => {
    console.error(e.message);
    process.exitCode = 1;
});
