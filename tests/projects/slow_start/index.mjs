// Needs a while until it listens.
import http from 'node:http';

const server = http.createServer((_, response) => response.end('{}'));
setTimeout(() => server.listen(Number(process.env.PORT), process.env.MASTRA_HOST), 600);
