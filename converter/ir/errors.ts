/** A graph that breaks the IR's own rules: always a bug of ours, never the user's input. */
export class InvalidGraphError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidGraphError';
  }
}

export function internalInvalidGraph(what: string): InvalidGraphError {
  return new InvalidGraphError(`invalid graph: ${what}`);
}
