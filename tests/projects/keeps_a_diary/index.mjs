// Writes beside itself and one folder up, as apps with file:./mastra.db and file:../mastra.db do, and shows it.
import fs from 'node:fs';
import http from 'node:http';

fs.appendFileSync('./diary.db', `${process.env.BUILD_NAME}\n`);
fs.appendFileSync('../mastra.db', `${process.env.BUILD_NAME}\n`);
fs.appendFileSync('./seed.txt', 'changed by the app\n');
const read = name => fs.readFileSync(name, 'utf8');
http
  .createServer((_, response) => response.end(JSON.stringify(['./diary.db', '../mastra.db', './seed.txt'].map(read))))
  .listen(Number(process.env.PORT), process.env.MASTRA_HOST);
