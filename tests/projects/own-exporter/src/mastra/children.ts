import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const SHOW = 'process.stdin.on("data", () => { process.stdout.write(JSON.stringify(process.env)); process.exit(0); })';
const OTHER_NODE = '/usr/bin/node';

/** What child processes of this app see in their environment: one that is spoken to over stdio, and one on another Node. */
export async function askChildren(): Promise<Record<string, unknown>> {
  const children: Record<string, unknown> = { stdio: await ask(process.execPath) };
  if (existsSync(OTHER_NODE)) children.otherNode = await ask(OTHER_NODE);
  return children;
}

function ask(node: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['-e', SHOW], { stdio: ['pipe', 'pipe', 'inherit'] });
    let answer = '';
    child.stdout.on('data', data => (answer += data));
    child.on('error', reject);
    child.on('close', () => resolve(JSON.parse(answer)));
    child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"initialize"}\n');
  });
}
