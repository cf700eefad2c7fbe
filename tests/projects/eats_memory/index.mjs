// Holds 20 MB more with each request for /eat; with /share a process of its own holds as much.
import { spawn } from 'node:child_process';
import http from 'node:http';

const held = [];
const eater = `const held = Buffer.alloc(120 << 20, 1); setInterval(() => held.length, 1000)`;
http
  .createServer((request, response) => {
    if (request.url === '/eat') held.push(Buffer.alloc(20 << 20, 1));
    if (request.url === '/share') spawn(process.execPath, ['-e', eater], { stdio: 'ignore' });
    response.end(JSON.stringify(held.length));
  })
  .listen(Number(process.env.PORT), process.env.MASTRA_HOST);
process.on('SIGTERM', () => process.exit(0));
