import { type CommonOptions, command, print } from '@interlock/cli';
import { type Command, Option } from 'commander';
import { copyExample, type Example, examples } from '../example.ts';

interface InitOptions extends CommonOptions {
  from: Example;
}

/** `interlock init`: copies an example configuration into a folder of the user's. */
export function initCommand(): Command {
  return command('init', 'copy an example configuration into a new folder', 'interlock init my-interlock')
    .argument('<dir>', 'the new folder')
    .addOption(new Option('--from <example>', 'the example').choices(examples).default('quickstart'))
    .action(async (dir: string, options: InitOptions) => {
      const created = await copyExample(options.from, dir);
      print(
        options,
        created,
        `${created.files.join('\n')}\n\nEdit them, then run: interlock up --config ${created.folder}`,
      );
    });
}
