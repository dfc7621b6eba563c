// A Web Services server of one SMS session, with CometD by the npm package cometd-nodejs-server.
// It is told what to do by JSON lines on standard input, answers each with one, and ends with its input.
'use strict';

const http = require('node:http');
const readline = require('node:readline');
const cometd = require('cometd-nodejs-server');

const ID = '0000Na9B26EF002G';
const options = Object.assign({ timeout: 5000, sweepPeriod: 50 }, JSON.parse(process.argv[2] || '{}'));
const customer = { type: 'Customer', nickname: 'Sam', participantId: '009052BDEE39003C' };
const session = { id: ID, state: 'Chatting', uri: `http://elsewhere/api/v2/smsessions/${ID}`, participants: [customer] };
const log = [];
const seen = [];
const waiting = [];
const sockets = new Set();
let held = 0;
let bayeux = begin();

function begin() {
    held = 0;
    const server = cometd.createCometDServer(options);
    server.addListener('sessionAdded', (client) => {
        client.addListener('suspended', () => listeners(server, 1));
        client.addListener('resumed', () => listeners(server, -1));
    });
    return server;
}

function listeners(server, change) {
    if (server === bayeux) {
        held = Math.max(held + change, 0);
        while (held && waiting.length) {
            waiting.shift()();
        }
    }
}

function publish(data) {
    // A server channel lives only while it is in use.
    bayeux.createServerChannel(options.topic || '/v2/me/sms').publish(null, data);
}

function say(text) {
    const message = {
        index: log.length + 1, type: 'Text', from: customer, text, visibility: 'All', timestamp: '2026-03-02T09:00:00.000-0000'
    };
    log.push(message);
    publish({
        messages: [message], notificationType: 'NewMessages', messageType: 'MessageLogUpdated',
        smssessionUri: `http://elsewhere/api/v2/smssessions/${ID}`
    });
}

function end() {
    session.state = 'Completed';
    const { id, state, uri } = session;
    publish({ messageType: 'SMSsessionStateChangeMessage', notificationType: 'StatusChange', smssession: { id, state, uri } });
}

function cut() {
    sockets.forEach((socket) => socket.destroy());
}

function restart() {
    bayeux.close();
    bayeux = begin();
    cut();
}

function command(line, answer) {
    const { say: text, do: action } = JSON.parse(line);
    if (text !== undefined) {
        say(text);
    }
    if (action === 'await') {
        waiting.push(() => answer({}));
        listeners(bayeux, 0);
        return;
    }
    ({ end, cut, restart })[action]?.();
    answer({ seen });
}

function read(request, response) {
    const url = new URL(request.url, 'http://localhost');
    const first = Number(url.searchParams.get('startIndex') || 1);
    const answers = {
        '/api/v2/me': { user: { userName: 'agent' } },
        '/api/v2/me/smsessions': { smsessions: [session] },
        [`/api/v2/me/smsessions/${ID}/messages`]: { messages: log.filter((message) => message.index >= first) }
    };
    const found = answers[url.pathname];
    response.writeHead(found ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(found ? { statusCode: 0, ...found } : { statusCode: 6 }));
}

function exchange(request, response) {
    let body = '';
    request.on('data', (piece) => { body += piece; });
    request.on('end', () => {
        const messages = JSON.parse(body);
        seen.push(messages.map(({ channel }) => channel));
        bayeux.handle(Object.assign(request, { body: messages }), response);
    });
}

const server = http.createServer((request, response) => {
    const notifications = request.method === 'POST' && request.url === '/api/v2/notifications';
    (notifications ? exchange : read)(request, response);
});
server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
});
server.listen(0, '127.0.0.1', () => {
    const tell = (value) => process.stdout.write(JSON.stringify(value) + '\n');
    tell({ port: server.address().port });
    const input = readline.createInterface({ input: process.stdin });
    input.on('line', (line) => command(line, tell));
    input.on('close', () => process.exit());
});
