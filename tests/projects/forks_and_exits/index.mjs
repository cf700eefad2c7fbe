// Leaves daemons behind: in sessions of their own, one with no environment, and ends on /leave.
import { spawn } from 'node:child_process';
import http from 'node:http';

const sleep = ['-e', 'setInterval(() => {}, 1000)'];
const daemons = [{ ...process.env, NODE_OPTIONS: '' }, {}].map(env =>
  spawn(process.execPath, sleep, { detached: true, stdio: 'inherit', env }),
);
for (const daemon of daemons) daemon.unref();
http
  .createServer((request, response) => {
    response.end(JSON.stringify(daemons.map(daemon => daemon.pid)));
    if (request.url === '/leave') response.on('finish', () => process.exit(0));
  })
  .listen(Number(process.env.PORT), process.env.MASTRA_HOST);
