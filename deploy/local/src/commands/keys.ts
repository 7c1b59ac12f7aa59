import { type CommonOptions, command, foldersOf, instant, print, table } from '@interlock/cli';
import type { Command } from 'commander';
import { keysOf } from '../key-list.ts';

/** `interlock keys`: lists the keys of an installation, without any private part. */
export function keysCommand(): Command {
  return command(
    'keys',
    'list the keys of the installation: holder, use, id, and how long each is valid',
    'interlock keys --config my-interlock',
  ).action(async (options: CommonOptions) => {
    const keys = await keysOf(foldersOf(options).data);
    const rows = keys.map(({ holder, use, keyId, notAfter }) => [
      holder,
      use,
      keyId,
      notAfter === undefined ? 'no end' : instant(notAfter),
    ]);
    print(options, { keys }, table(['holder', 'use', 'key', 'valid until'], rows));
  });
}
