import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Newcomer, UP_MS } from './newcomer.ts';
import { followQuickstart, QUICKSTART_MS } from './quickstart.ts';
import { followTutorial, TUTORIAL_MS } from './tutorial.ts';

let newcomer: Newcomer;
beforeAll(async () => {
  newcomer = await Newcomer.arrive();
}, UP_MS);
afterAll(() => newcomer[Symbol.asyncDispose](), UP_MS);

describe('the tutorial, and then the README in the same clone', () => {
  test(
    '[P-policy-tutorial] the tutorial leads an author from a first rule with a test to production and back',
    async () => {
      await followTutorial(newcomer);
      await newcomer.closeTerminals();
    },
    TUTORIAL_MS,
  );

  test(
    '[P-quickstart] the README leads a newcomer from a start to a call that an own rule refuses and one that a person approves',
    async () => {
      await followQuickstart(newcomer);
      await newcomer.closeTerminals();
    },
    QUICKSTART_MS,
  );

  test('[P-docs-leave-no-trace] leave the clone as it was', async () => {
    expect(await newcomer.clone.status()).toBe('');
  });
});
