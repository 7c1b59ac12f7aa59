/**
 * Loaded before the API of the demo, in its process. json-server-auth imports `express` without declaring it, and needs
 * the version of json-server; when another package has a newer one, Node would resolve that instead.
 */
import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

const IMPORTER = '/node_modules/json-server-auth/';
const require = createRequire(import.meta.url);
const express = createRequire(require.resolve('json-server')).resolve('express');

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === 'express' && context.parentURL?.includes(IMPORTER) === true
      ? { url: pathToFileURL(express).href, format: 'commonjs', shortCircuit: true }
      : nextResolve(specifier, context),
});
