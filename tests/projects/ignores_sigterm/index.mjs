// Counts its SIGTERMs and goes on.
import http from 'node:http';

let count = 0;
process.on('SIGTERM', () => console.log(`SIGTERM number ${++count} ignored`));
http.createServer((_, response) => response.end('{}')).listen(Number(process.env.PORT), process.env.MASTRA_HOST);
