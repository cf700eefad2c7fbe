// A well-behaved server: answers, says where it runs, stops on SIGTERM.
import http from 'node:http';

const server = http.createServer((request, response) => {
  const answers = { '/health': { success: true }, '/cwd': process.cwd(), '/argv': process.argv };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(answers[request.url] ?? { build: process.env.BUILD_NAME }));
});
server.listen(Number(process.env.PORT), process.env.MASTRA_HOST, () => console.log('hello is up'));
process.on('SIGTERM', () => {
  console.log('hello stops');
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
