export { checkDefinition, type DefinitionMistake } from './check.ts';
export {
  type Credential,
  type InjectedRequest,
  injectCredentials,
  placeholderValues,
  secretsOf,
} from './credentials.ts';
export { carriesAny, type Place, placesOf } from './places.ts';
export {
  addHeader,
  buildRequest,
  type HttpRequest,
  type HttpTool,
  originOf,
  placeholdersOf,
} from './request.ts';
export type { Arguments } from './template.ts';
export { urlsOf } from './url.ts';
