import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { sha256 } from '@interlock/contracts';
import { openBundle, verifyBundle } from '@interlock/policy';
import { loadKeyring, systemClock } from '@interlock/shell';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureIdentities } from './identities.ts';
import { dataFiles } from './installation-files.ts';

const MAIN = path.join(import.meta.dirname, 'main.ts');
let folder = '';
let data = '';
let policies = '';
let rootKey = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-build-'));
  data = path.join(folder, 'data');
  policies = path.join(folder, 'policies');
  ({ rootKey } = await ensureIdentities(data, systemClock.nowMs()));
  await mkdir(path.join(policies, 'rules', 'quiet'), { recursive: true });
  await writeFile(path.join(policies, 'data.yaml'), 'config:\n  allow_listed: []\n');
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function rule(text: string): Promise<string> {
  const file = path.join(policies, 'rules', 'quiet', 'quiet.rego');
  await writeFile(file, `package interlock.rules.quiet\n\n${text}\n`);
  return file;
}

async function build(...flags: string[]): Promise<string> {
  const argv = [MAIN, 'policy', 'build', policies, '--data', data, '--json', ...flags];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: folder });
  return stdout;
}

test('[P-policy-build] policies that do not compile are not signed, and file and line are reported', async () => {
  const file = await rule('deny contains "No." if input.tool.nome == "x"');
  await expect(build('--out', path.join(folder, 'broken.tar.gz'))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`interlock: configuration_invalid: 1 error occurred: ${file}:3: `),
  });
  await expect(readFile(path.join(folder, 'broken.tar.gz'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('[P-policy-build] policies that allow a call without a subject are not signed: no decider would load them', async () => {
  await rule('allow contains "Whatever."');
  await expect(build('--out', path.join(folder, 'open.tar.gz'))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('allows a call without a caller and a tool'),
  });
  await expect(readFile(path.join(folder, 'open.tar.gz.jws'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('[P-policy-build] nothing is built without the key of the author', async () => {
  await rule('deny contains "No." if input.tool.name == "x"');
  await expect(build('--key', path.join(folder, 'nothing.json'))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('interlock: author_missing: '),
  });
});

test('[P-policy-build] the bundle is the one the signature is for, and the same rules have the same digest', async () => {
  await rule('deny contains "No." if input.tool.name == "x"');
  const out = path.join(folder, 'policy.tar.gz');
  const first: unknown = JSON.parse(await build('--out', out));
  const bytes = await readFile(out);
  const signature = (await readFile(`${out}.jws`, 'utf8')).trim();
  const digest = sha256(bytes);
  expect(first).toMatchObject({ digest, bytes: bytes.byteLength, bundle: out, signature: `${out}.jws` });
  expect(first).toMatchObject({ rules: expect.arrayContaining(['allow_listed', 'quiet']) });

  const keyring = await loadKeyring({ keyringFile: dataFiles(data).keyring, rootKey });
  expect(verifyBundle(signature, keyring, bytes, systemClock.nowMs())).toMatchObject({ digest });
  expect(openBundle({ version: 1, digest, bytes: bytes.byteLength }, bytes).digest).toBe(digest);
  expect(JSON.parse(await build('--out', path.join(folder, 'again.tar.gz')))).toMatchObject({ digest });
});
