// resume.js - the reference client of server-sent events reads /v1/events while jobs run; three
// times its connection is cut, once the front of jobd is killed. It resumes by Last-Event-ID alone:
// what it has seen at the end must be what the JSON list has, in order, none missing and none twice.
// Then the stream of one job: after its last event the server says 204, and the client stays away.
'use strict';
const fs = require('fs');
const { EventSource } = require('eventsource');
const { until } = require('./server.js');

const { JOBD_URL: url, JOBD_TOKEN: token, JOBD_PID: supervisor } = process.env;
const authorized = { Authorization: `Bearer ${token}` };
const JOBS = 40;

const json = async (path, init = {}) => {
    const rs = await fetch(url + path, { ...init, headers: { ...authorized, ...init.headers } });
    if (!rs.ok)
        throw new Error(`${path}: ${rs.status} ${await rs.text()}`);
    return rs.json();
};

const submit = (body) => json('/v1/jobs', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
});

// A fetch for EventSource whose connection can be cut: the body ends in an error, as when a proxy
// goes away. (To abort the request would tell EventSource that nobody wants it any more.)
function cuttable(seen) {
    let cut = () => {};
    const fetchOnce = async (target, init) => {
        const gone = new AbortController();
        const rs = await fetch(target, {
            ...init, headers: { ...init.headers, ...authorized },
            signal: AbortSignal.any([gone.signal, ...(init.signal ? [init.signal] : [])]),
        });
        seen.statuses.push(rs.status);
        if (!rs.body)
            return rs;
        const reader = rs.body.getReader();
        const body = new ReadableStream({
            start(line) {
                cut = () => {
                    line.error(new TypeError('cut'));
                    gone.abort();
                };
            },
            async pull(line) {
                const { done, value } = await reader.read();
                if (done)
                    line.close();
                else
                    line.enqueue(value);
            },
        });
        return { body, url: rs.url, status: rs.status, redirected: rs.redirected, headers: rs.headers };
    };
    return { fetch: fetchOnce, cut: () => cut() };
}

function listen(path) {
    const seen = { ids: [], types: [], statuses: [], errors: 0 };
    const line = cuttable(seen);
    const source = new EventSource(url + path, { fetch: line.fetch });
    const note = (event) => {
        seen.ids.push(event.lastEventId);
        seen.types.push(event.type);
    };
    for (const type of ['created', 'scheduled', 'queued', 'started', 'progress', 'retry_scheduled',
                        'cancel_requested', 'succeeded', 'failed', 'canceled', 'expired', 'updated'])
        source.addEventListener(`job.${type}`, note);
    source.addEventListener('error', () => seen.errors++);
    return { seen, source, cut: line.cut };
}

const frontOf = (pid) => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    .find((child) => fs.readFileSync(`/proc/${child}/comm`, 'utf8').startsWith('jobd-front'));

async function allEvents() {
    const ids = [];
    for (let at = '/v1/events?limit=100'; at;) {
        const page = await json(at, { headers: { Accept: 'application/json' } });
        ids.push(...page.items.map((item) => item.id));
        at = page.next;
    }
    return ids;
}

async function resumes() {
    const { seen, source, cut } = listen('/v1/events?after=0');
    let lost = 0;
    const connected = () => until('it is connected again', () => seen.statuses.length > lost);
    for (let i = 0; i < JOBS; i++) {
        await submit({ function: i % 4 === 3 ? 'fail' : 'wordcount' });
        if (i % 10 === 5) { // goes on submitting while nobody listens
            await connected();
            lost++;
        }
        if (i % 10 === 5 && i < 30)
            cut();
        if (i === 35) {
            process.kill(Number(frontOf(supervisor)), 'SIGKILL');
            await until('jobd is back', () => fetch(`${url}/readyz`).then((rs) => rs.ok, () => false));
        }
    }
    await until('all jobs have ended', async () =>
        (await json('/v1/jobs?state=queued,running,scheduled')).items.length === 0);
    const want = await allEvents();
    await until('the stream has caught up', () => seen.ids.at(-1) === want.at(-1)).catch(() => {});
    source.close();
    if (seen.ids.join() !== want.join())
        throw new Error(`seen ${seen.ids.length} events, there are ${want.length}:\n${seen.ids}\n${want}`);
    return { events: want.length, connections: seen.statuses.length };
}

async function ends() {
    const { id } = await submit({ function: 'wordcount' });
    const { seen, source } = listen(`/v1/jobs/${id}/events`);
    await until('the client stays away', () => source.readyState === EventSource.CLOSED);
    if (seen.statuses.at(-1) !== 204 || seen.types.at(-1) !== 'job.succeeded')
        throw new Error(`the stream of a job ended with ${seen.statuses} after ${seen.types}`);
    if (new Set(seen.ids).size !== seen.ids.length)
        throw new Error(`twice: ${seen.ids}`);
}

async function main() {
    const { events, connections } = await resumes();
    await ends();
    console.log(`eventsource: ${events} events, none missing, none twice, over ${connections} connections ` +
                'and a killed front; 204 ends the stream of a job');
}

main().then(() => process.exit(0), (e) => {
    console.error(e.message);
    process.exit(1);
});
