/** What this package uses of the global that Node has and `@types/node` leaves to the DOM's types. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>);
  }
  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  class Global {
    value: number;
    constructor(descriptor: { value: 'i32'; mutable: boolean }, initial: number);
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
  class Instance {
    readonly exports: Record<string, unknown>;
    constructor(module: Module);
  }
  interface WebAssemblyInstantiatedSource {
    readonly instance: Instance;
  }
}
