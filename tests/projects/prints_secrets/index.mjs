// Prints a secret of its environment in all the ways that happen by mistake.
import http from 'node:http';

const secret = process.env.API_KEY;
console.log(`key=${secret}`);
console.error(`Authorization: Basic ${Buffer.from(secret).toString('base64')}`);
console.log(`https://example.com/?key=${encodeURIComponent(secret)}`);
console.log('secrets are out');
http.createServer((_, response) => response.end('{}')).listen(Number(process.env.PORT), process.env.MASTRA_HOST);
