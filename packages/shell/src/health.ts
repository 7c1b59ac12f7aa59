/** What a process says about itself at `/readyz`: every named check must hold. */
export interface Health {
  /** Adds a check. It must be cheap: it is asked at every probe. A text says why it does not hold. */
  add(name: string, check: () => true | string): void;
  /** Adds a fact shown at `/readyz`, such as the policy's digest. */
  show(name: string, fact: () => string | number | undefined): void;
}
