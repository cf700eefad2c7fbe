// Takes a port of its own choice.
import http from 'node:http';

http.createServer((_, response) => response.end('{}')).listen(0, process.env.MASTRA_HOST);
