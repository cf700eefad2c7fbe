// Answers one health check and then ends with an error.
import http from 'node:http';

http
  .createServer((_, response) => {
    response.end('{}');
    response.on('finish', () => {
      console.error('Error: out of luck');
      process.exit(7);
    });
  })
  .listen(Number(process.env.PORT), process.env.MASTRA_HOST);
