// Asks for a login everywhere, also at its health check.
import http from 'node:http';

http
  .createServer((_, response) => {
    response.statusCode = 401;
    response.end('who are you?');
  })
  .listen(Number(process.env.PORT), process.env.MASTRA_HOST);
