// Answers until it is asked for /hang; from then on it does nothing but count, and hears no SIGTERM either.
import http from 'node:http';

process.on('SIGTERM', () => process.exit(0));
http
  .createServer((request, response) => {
    if (request.url === '/hang') for (let count = 0; ; count++);
    response.end('"fine"');
  })
  .listen(Number(process.env.PORT), process.env.MASTRA_HOST);
