// Asks for an address that other machines can reach, as Mastra before 1.0 does.
import http from 'node:http';

http.createServer((_, response) => response.end('{}')).listen(Number(process.env.PORT), '0.0.0.0');
