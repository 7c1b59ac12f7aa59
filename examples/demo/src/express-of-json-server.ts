/**
 * Loaded before the API of the demo, in its process. json-server-auth asks for `express` and means the one that
 * json-server brings, without naming it; where another package brings a newer one, Node finds that instead.
 */
import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

const ASKER = '/node_modules/json-server-auth/';
const require = createRequire(import.meta.url);
const express = createRequire(require.resolve('json-server')).resolve('express');

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === 'express' && context.parentURL?.includes(ASKER) === true
      ? { url: pathToFileURL(express).href, format: 'commonjs', shortCircuit: true }
      : nextResolve(specifier, context),
});
