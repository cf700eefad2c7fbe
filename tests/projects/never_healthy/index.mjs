// Listens, and answers its health check with an error for ever.
import http from 'node:http';

console.log('the database is not there');
http
  .createServer((_, response) => {
    response.statusCode = 500;
    response.end('no');
  })
  .listen(Number(process.env.PORT), process.env.MASTRA_HOST);
