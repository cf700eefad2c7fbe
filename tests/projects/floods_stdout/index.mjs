// Prints megabytes, one endless line and bytes that are no text, then works.
import fs from 'node:fs';
import http from 'node:http';

const line = `${'x'.repeat(99)}\n`;
for (let index = 0; index < 30; index++) fs.writeSync(1, line.repeat(1000));
fs.writeSync(1, Buffer.alloc(1 << 20, 'y'));
fs.writeSync(1, '\n');
fs.writeSync(2, Buffer.from([0, 255, 254, 10, 27, 91, 50, 74, 10]));
fs.writeSync(1, 'the flood is over\n');
http.createServer((_, response) => response.end('{}')).listen(Number(process.env.PORT), process.env.MASTRA_HOST);
