/** Finds or makes each native program, trying the sources in a fixed order. */
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { cacheFolder, installInto, withLock } from './cache.mjs';
import { findOnPath, isExecutable, run } from './child.mjs';
import {
  buildWithGo,
  findEngine,
  findGo,
  installWithApt,
  lastLines,
  takeFromImage,
  whyNoApt,
} from './sources.mjs';
import { describeRange, isInRange, parseVersion } from './tools.mjs';

/** A version is printed in milliseconds; the rest is for a loaded machine. */
const VERSION_MS = 20_000;

/** A program that cannot be found or made, with everything that was tried. */
export class MissingProgram extends Error {
  /**
   * @param {import('./tools.mjs').Tool} tool
   * @param {string[]} tried one line each
   */
  constructor(tool, tried) {
    const ways = tool.ways.map((way, index) => `    ${index + 1}. ${way}`);
    const reasons = tried.map((line) => `    - ${line.replaceAll('\n', '\n      ')}`);
    super(
      [
        `${tool.name} is missing (${tool.purpose}; ${describeRange(tool.range)})`,
        '  what was tried:',
        ...reasons,
        '  any one of these supplies it:',
        ...ways,
      ].join('\n'),
    );
    this.name = 'MissingProgram';
  }
}

/**
 * Provisions programs side by side.
 * @param {readonly import('./tools.mjs').Tool[]} tools
 * @param {{ acceptAddresses: boolean, report: (line: string) => void }} options
 *   `acceptAddresses`: a server whose address is given needs no program
 * @returns {Promise<PromiseSettledResult<{ variable: string, path: string | undefined, from: string, name: string }>[]>}
 */
export function provisionAll(tools, { acceptAddresses, report }) {
  const machine = { engine: once(findEngine), go: once(findGo) };
  return Promise.allSettled(
    tools.map(async (tool) => {
      const found = await provisionOrGoOn(tool, acceptAddresses, machine, report);
      return { variable: tool.binaryVariable, name: tool.name, ...found };
    }),
  );
}

/** A program that is not needed is done without, unless the user named one that cannot be used. */
async function provisionOrGoOn(tool, acceptAddresses, machine, report) {
  try {
    return await provision(tool, acceptAddresses, machine, report);
  } catch (error) {
    const isNamed = Boolean(process.env[tool.binaryVariable]);
    if (tool.goesOnWithout === undefined || isNamed || !(error instanceof MissingProgram)) throw error;
    report(`${tool.name} is missing, so ${tool.goesOnWithout} (${tool.ways[0]})`);
    return { path: undefined, from: 'missing' };
  }
}

async function provision(tool, acceptAddresses, machine, report) {
  const given = process.env[tool.binaryVariable];
  if (given !== undefined && given !== '')
    return { path: await checkGiven(tool, given), from: tool.binaryVariable };
  const isElsewhere = tool.addressVariable !== undefined && Boolean(process.env[tool.addressVariable]);
  if (acceptAddresses && isElsewhere) return { path: undefined, from: tool.addressVariable };

  const tried = [`${tool.binaryVariable} is not set`];
  const onPath = findOnPath(tool.executable);
  const problem = onPath === undefined ? 'not on the PATH' : await whyUnusable(tool, onPath);
  if (problem === undefined) return { path: onPath, from: 'PATH' };
  tried.push(problem);

  const target = join(cacheFolder(), `${tool.name}-${tool.version}`);
  const path = join(target, tool.executable);
  if (isExecutable(path)) return { path, from: 'cache' };
  const wait = () => report(`${tool.name}: another run is installing it, waiting for that`);
  await withLock(
    `${tool.name}-${tool.version}`,
    () => (isExecutable(path) ? undefined : install(tool, target, tried, machine, report)),
    wait,
  );
  return { path, from: 'cache' };
}

/** A program that the user names is used or refused, never silently replaced by another. */
async function checkGiven(tool, path) {
  const problem = !isAbsolute(path)
    ? 'it is not an absolute path'
    : !isExecutable(path)
      ? `${existsSync(path) ? 'not an executable file' : 'no such file'}: ${path}`
      : await whyUnusable(tool, path);
  if (problem === undefined) return path;
  throw new MissingProgram(tool, [`${tool.binaryVariable} is set and cannot be used: ${problem}`]);
}

async function install(tool, target, tried, machine, report) {
  for (const source of sourcesOf(tool, machine)) {
    const { how, reason, fill } = await source();
    if (fill === undefined) {
      tried.push(reason);
      continue;
    }
    const startMs = performance.now();
    report(`${tool.name} ${tool.version}: ${how} (${tried.map(firstLine).join('; ')})`);
    try {
      await installInto(target, async (folder) => {
        await fill(folder);
        const problem = await whyUnusable(tool, join(folder, tool.executable));
        if (problem !== undefined) throw new Error(problem);
      });
      return report(
        `${tool.name} ${tool.version}: ready after ${((performance.now() - startMs) / 1000).toFixed(1)} s`,
      );
    } catch (error) {
      tried.push(`${how}: ${error.message}`);
    }
  }
  throw new MissingProgram(tool, tried);
}

/** In order of cost. Each returns how it makes the program, or the reason why it cannot. */
function sourcesOf(tool, machine) {
  const image = async () => {
    const engine = await machine.engine();
    if (typeof engine === 'string') return { reason: engine };
    return {
      how: `from ${tool.image} with ${engine.name}`,
      fill: (folder) => takeFromImage(tool, engine, folder),
    };
  };
  const goBuild = async () => {
    const go = await machine.go();
    if (typeof go === 'string') return { reason: go };
    const how = `building with Go ${go.version}, which takes a minute or two`;
    return { how, fill: (folder) => buildWithGo(tool, go, folder) };
  };
  const debian = async () => {
    const reason = whyNoApt();
    if (reason !== undefined) return { reason };
    return { how: `apt-get install ${tool.debianPackage}`, fill: (folder) => installWithApt(tool, folder) };
  };
  return [
    ...(tool.image === undefined ? [] : [image]),
    ...(tool.goPackage === undefined ? [] : [goBuild]),
    ...(tool.debianPackage === undefined ? [] : [debian]),
  ];
}

/** @returns {Promise<string | undefined>} what is wrong with a program, undefined when it can be used */
async function whyUnusable(tool, path) {
  const answer = await run(path, tool.versionArguments, { timeoutMs: VERSION_MS });
  if (!answer.ok) return `${path} does not run: ${lastLines(answer.output)}`;
  const version = parseVersion(answer.output);
  if (version === undefined) return `${path} names no version`;
  if (isInRange(version, tool.range)) return undefined;
  return `${path} is version ${version.text}, wanted: ${describeRange(tool.range)}`;
}

function firstLine(text) {
  return text.split('\n')[0];
}

/** Remembers the answer, so that the machine is examined once for all programs. */
function once(ask) {
  let answer;
  return () => {
    answer ??= ask();
    return answer;
  };
}
