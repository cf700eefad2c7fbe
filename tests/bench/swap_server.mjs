// What is swapped: answers at once, after a while, as a stream of events, and over a websocket.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';

const { version } = JSON.parse(fs.readFileSync(new URL('./settings.json', import.meta.url)));
const say = (response, facts) => {
  const body = JSON.stringify({ version, ...facts });
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://x');
  const number = name => Number(url.searchParams.get(name));
  if (request.method === 'POST') {
    let size = 0;
    request.on('data', part => (size += part.length));
    return request.on('end', () => setTimeout(() => say(response, { size }), number('ms')));
  }
  if (url.pathname === '/events') return stream(response, number('count'), number('ms'));
  say(response, {});
});

function stream(response, count, pause) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let sent = 0;
  const timer = setInterval(() => {
    response.write(`data: ${(sent += 1)}\n\n`);
    if (sent === count) {
      clearInterval(timer);
      response.end('event: end\n\n');
    }
  }, pause);
  response.on('close', () => clearInterval(timer));
}

// Small masked text frames and close frames: all that the load sends.
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = crypto.createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let received = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', part => {
    received = Buffer.concat([received, part]);
    while (received.length >= 6 && received.length >= 6 + (received[1] & 127)) {
      const size = received[1] & 127;
      const mask = received.subarray(2, 6);
      const payload = Buffer.from(received.subarray(6, 6 + size).map((byte, index) => byte ^ mask[index % 4]));
      const isClose = (received[0] & 15) === 8;
      received = received.subarray(6 + size);
      socket.write(Buffer.concat([Buffer.from([isClose ? 0x88 : 0x81, payload.length]), payload]));
      if (isClose) socket.end();
    }
  });
});

server.keepAliveTimeout = 5000;
server.listen(Number(process.env.PORT), process.env.MASTRA_HOST, () => console.log(`serving ${version}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
