// Listens where other machines can reach it, in a process of its own, where nothing holds it back.
import { spawn } from 'node:child_process';

const listen = `require('node:http').createServer((_, response) => response.end('{}')).listen(${process.env.PORT}, '0.0.0.0');`;
spawn(process.execPath, ['-e', listen], { stdio: 'inherit' });
