// Listens where other machines can reach it.
import http from 'node:http';

http.createServer((_, response) => response.end('{}')).listen(Number(process.env.PORT), '0.0.0.0');
