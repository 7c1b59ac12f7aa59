export { checkDefinition, type DefinitionMistake } from './check.ts';
export { carriesAny, type Place, placesOf } from './places.ts';
export { addHeader, buildRequest, type HttpRequest, type HttpTool, originOf } from './request.ts';
export type { Arguments } from './template.ts';
export { urlsOf } from './url.ts';
