// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the shell's own expansions.
import { processorMs } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { readShell } from './shell.ts';

function names(text: string): (string | null)[] | undefined {
  return readShell(text)?.commands.map(({ name }) => name);
}

describe('[P-facts-parsed] a command line is unreadable with', () => {
  test.each([
    ['nothing', ''],
    ['blanks alone', ' \n\t'],
    ['a quote that does not end', "ls 'x"],
    ['a substitution that does not end', 'ls $(rm'],
    ['a parenthesis too many', 'ls )'],
    ['a NUL', 'ls \0 rm'],
    ['a carriage return', 'ls\rrm x'],
    ['a blank of another alphabet', 'ls\u00a0x'],
    ['a here-document', 'cat <<EOF\n$(rm x)\nEOF'],
    ['a here-document without blanks', 'cat<<-EOF\nx\nEOF'],
    ['arithmetic', 'echo $((1 + $(rm x)))'],
    ['old arithmetic', 'echo $[1+1]'],
    ['arithmetic as a command', '((x = $(rm x)))'],
    ['a loop over words', 'for i in 1 2; do rm $i; done'],
    ['case', 'case x in x) rm y;; esac'],
    ['a function', 'ls() { rm x; }; ls'],
    ['a function by its keyword', 'function ls { rm x; }'],
    ['an array', 'a=(1 2) ls'],
    ['an extended pattern', 'ls !(x)'],
    ['a test of bash', '[[ -f $(rm x) ]]'],
    ['a default with a substitution', 'ls ${x:-$(rm y)}'],
    ['a default with quotes', 'ls "${x:-"$(rm y)"}"'],
    ['a substitution in braces', 'ls ${ rm x; }'],
    ['what redirects in one shell and runs in another', 'ls &>x'],
    ['a script that is built at run time', 'sh -c "$x"'],
    ['a script that eval builds', 'eval "$x"'],
    ['a shell of unknown options', 'sh $x'],
    ['a script behind more options', 'sh -c -- "rm x"'],
    ['a script behind an option that is switched off', 'bash -c +e "rm x"'],
    ['a program that starts others by options that are not known', 'env --block-signal=PIPE rm x'],
    ['a lone dash before a command, which may be an operand', 'flock - rm ls'],
    ['an option behind the operands', "flock x -c 'rm x'"],
    ['an option behind a lone dash', 'env - -u A ls'],
    ...'csh tcsh fish yash pwsh ksh93 ssh-agent systemd-inhibit numactl eatmydata chronic caffeinate setlock softlimit'
      .split(' ')
      .map((program): [string, string] => [
        'a program that starts others in ways that are not read',
        `${program} rm x`,
      ]),
    ['a program that starts others in ways that are not read', 'strace -f rm x'],
    ['a command that begins with what is known only at run time', 'env $x rm y'],
    ['a search whose command has no end', 'find . -exec rm {}'],
    ['a search with an argument that could be -exec', 'find . $x'],
    ['a name that is given another meaning', "alias ls='rm x'; ls"],
    ['an option of ssh that starts a command here', 'ssh -o ProxyCommand=rm host'],
    ['a name continued on the next line', 'ls $\\\nx'],
    ['such a name in a substitution in a substitution', 'ls `ls \\`ls $\\\nx\\``'],
    ['a quote that ends elsewhere in another shell', "ls $'\\'; rm x #'"],
    ['a quote that bash expands all the same', "ls >&'$(rm x)'"],
    ['a descriptor that is an argument in another shell', 'ls 12>x'],
    ['a named descriptor', 'ls {x}>y'],
    ['an assignment that is a command in another shell', 'x+=1 ls'],
    ['an assignment to an element', 'x[1]=2 ls'],
    ['a word that is a program in another shell', 'time { rm x; }'],
    ['two parentheses that are no arithmetic', '((ls); rm x)'],
    ['a name that a substitution goes on with', 'ls<(rm x)'],
    ['a substitution that a name goes on with', 'ls <(rm x)y'],
    ['a substitution that is assigned', 'X=<(rm x) mv a b'],
    ['a parenthesis behind a name', 'ls(rm x'],
    ['a separator too many', 'ls; ; rm x'],
    ['a separator alone', '&'],
    ['a pipe to nothing', 'ls |'],
    ['a list that nothing ends', 'if ls; then rm x'],
    ['a line longer than a line may be', `ls ${'x'.repeat(9_000)}`],
    ['more commands than a line may have', 'ls;'.repeat(100)],
    ['substitutions too deep', `${'$('.repeat(20)}ls${')'.repeat(20)}`],
  ])('%s', (_, text) => {
    expect(readShell(text)).toBeUndefined();
  });
});

describe('[P-facts-parsed] every program that a line would start is among its commands', () => {
  test.each([
    ['ls; rm x', ['ls', 'rm']],
    ['ls\nrm x', ['ls', 'rm']],
    ['ls & rm x', ['ls', 'rm']],
    ['ls && rm x || mv a b', ['ls', 'rm', 'mv']],
    ['ls | sh', ['ls', 'sh']],
    ['ls |& tee x', ['ls', 'tee']],
    ['ls $(rm x)', ['rm', 'ls']],
    ['ls "$(rm x)"', ['rm', 'ls']],
    ['ls "a $(rm "$(mv b c)") d"', ['mv', 'rm', 'ls']],
    ['ls `rm x`', ['rm', 'ls']],
    ['ls "`rm \\`mv a b\\``"', ['mv', 'rm', 'ls']],
    ['cat <(rm x) >(tee y)', ['rm', 'tee', 'cat']],
    ['ls > $(rm x)', ['rm', 'ls']],
    ['X=$(rm x)', ['rm']],
    ['X=1 rm x', ['rm']],
    ['X=1 if rm', ['if']],
    ['>x rm y', ['rm']],
    ['2>&1 rm y', ['rm']],
    ['(cd x; rm y)', ['cd', 'rm']],
    ['{ cd x; rm y; }', ['cd', 'rm']],
    ['if true; then rm x; else mv a b; fi', ['true', 'rm', 'mv']],
    ['while read x; do rm y; done', ['read', 'rm']],
    ['! rm x', ['rm']],
    ["r'm' x", ['rm']],
    ['r\\m x', ['rm']],
    ['"rm" x', ['rm']],
    ['r""m x', ['rm']],
    ['r\\\nm x', ['rm']],
    ['$x y', [null]],
    ['r$x y', [null]],
    ["$'\\x72m' y", [null]],
    ['r{m,x} y', [null]],
    ['/bin/r? y', [null]],
    ['~/x y', [null]],
    ['bash -c "rm x; mv a b"', ['bash', 'rm', 'mv']],
    ['sh -ec \'sh -c "rm x"\'', ['sh', 'sh', 'rm']],
    ["eval rm 'x; mv a b'", ['eval', 'rm', 'mv']],
    ['env -u A B=1 rm x', ['env', 'rm']],
    ['sudo -nu bob rm x', ['sudo', 'rm']],
    ['sudo env xargs -0 timeout -s KILL 5 rm x', ['sudo', 'env', 'xargs', 'timeout', 'rm']],
    ["find . -exec rm {} + -ok mv {} x ';'", ['find', 'rm', 'mv']],
    ['xargs -I% % x', ['xargs', null]],
    ['exec -a x rm y', ['exec', 'rm']],
    ['command -v rm', ['command']],
    ['busybox rm x', ['busybox', 'rm']],
    ["watch -n 5 'rm x; ls'", ['watch', 'rm', 'ls']],
    ["su bob -c 'rm x'", ['su', 'rm']],
    ["trap 'rm x' EXIT", ['trap', 'rm']],
    ['ssh -p 22 host rm x', ['ssh', 'rm']],
    ['ls # rm x\nmv a b', ['ls', 'mv']],
    ['ls x#y; rm z', ['ls', 'rm']],
  ])('%s', (text, expected) => {
    expect(names(text)).toEqual(expected);
  });
});

describe('the fact of a command line', () => {
  test.each([
    ['ls -l', []],
    ['ls \'a;b|c\' "d & e"', []],
    ['ls;', []],
    ['ls; ls', ['list']],
    ['ls && ls', ['list']],
    ['ls | wc', ['pipe']],
    ['ls &', ['background']],
    ['ls > x', ['redirect']],
    ['ls 2>&1', ['redirect']],
    ['cat <<< x', ['redirect']],
    ['ls $(pwd)', ['substitution']],
    ['ls $HOME', ['expansion']],
    ['ls ${HOME%x}', ['expansion']],
    ['ls ~', ['expansion']],
    ['ls {a,b}', ['expansion']],
    ['ls *.c', ['glob']],
    ['ls [ab]', ['glob']],
    ['A=1 ls', ['assignment']],
    ['(ls)', ['compound']],
    ['find . -exec rm {} +', []],
    ['[ -f x ]', []],
  ])('names the features beyond one simple command: %s', (text, features) => {
    expect(readShell(text)?.features).toEqual(features);
  });

  test('holds the arguments of each command, and null for those known only at run time', () => {
    expect(readShell('git commit -m "a \\"b\\" $x" \'it is\' $y *.c a\\ b ""')).toEqual({
      commands: [{ name: 'git', arguments: ['commit', '-m', null, 'it is', null, null, 'a b', ''] }],
      features: ['expansion', 'glob'],
    });
  });
});

test('[P-facts-parsed] reading takes time in proportion to the length of the line', async () => {
  const fill = (unit: string) => unit.repeat(Math.floor(8_192 / unit.length));
  const texts = [
    '$',
    '{,',
    '`',
    '\\',
    '"',
    "'",
    '$(',
    '${',
    '<',
    '#',
    '[',
    '~',
    'a=',
    '\\\n',
    '$((',
    '(',
    '!',
  ];
  for (const unit of texts) {
    const took = await processorMs(() => {
      readShell(fill(unit));
      readShell(`ls ${fill(unit).slice(4)}`);
    });
    expect(took, unit).toBeLessThan(500);
  }
});
