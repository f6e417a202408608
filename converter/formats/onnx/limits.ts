/**
 * Upper bounds on what a model file may ask for. They are far above any network that fits a microcontroller and
 * keep a hostile file from using up memory or time.
 */

/** Nesting of messages: If within If within If; protobuf's own readers stop at 100. */
export const mostNesting = 100;

/** Messages in one file; every node, attribute, tensor and dimension is one. */
export const mostMessages = 400_000;

/** Nodes after functions and branches are put in place. */
export const mostNodes = 120_000;

/** Nodes of the graph that import makes. */
export const mostMadeNodes = 400_000;

/** Bytes of function bodies that calls may put in place together; a body called often counts often. */
export const mostInlinedBytes = 32 * 2 ** 20;

/** Bytes that may be read from external data together; tensors may overlap in the file. */
export const mostExternalBytes = 512 * 2 ** 20;

/** Calls of functions within functions. */
export const mostFunctionNesting = 32;

export const mostAxes = 8;

/** Elements of one tensor, 256 MB in float32. */
export const mostElements = 2 ** 26;

/** Bytes that all results of constant folding may take together. */
export const mostFoldedBytes = 64 * 2 ** 20;

/** Elements of constants that all nodes may read together, which bounds the time of shared ones. */
export const mostReadElements = 2 ** 27;

/** Bytes that weights in the converter's own layout may take together. */
export const mostDerivedBytes = 256 * 2 ** 20;
