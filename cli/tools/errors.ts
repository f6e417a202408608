import { TinymlError } from '../../common/tinyml-error.ts';

export function toolMissing(tool: string, purpose: string): TinymlError {
  return new TinymlError({
    code: 'E_TOOL_MISSING',
    exit: 2,
    what: `${tool} is not installed; it is needed to ${purpose}`,
    hint: 'tinyml doctor --fix installs it or prints the command that does',
  });
}

/** `lines` are the tool's own last words. */
export function toolFailed(tool: string, how: string, lines: readonly string[]): TinymlError {
  return new TinymlError({ code: 'E_TOOL_FAILED', exit: 2, what: `${tool} failed (${how})`, measure: lines });
}

/** Tools work in a temporary folder. */
export function toolOutOfSpace(tool: string, folder = 'the folder for temporary files'): TinymlError {
  return new TinymlError({
    code: 'E_TEMPORARY',
    exit: 1,
    what: `${tool} found no space left in ${folder}`,
    hint: 'make room there, or set TMPDIR to a folder that has some',
  });
}

export function toolTimeout(tool: string, seconds: number): TinymlError {
  return new TinymlError({
    code: 'E_TOOL_TIMEOUT',
    exit: 2,
    what: `${tool} did not end within ${seconds} s and was stopped`,
    hint: 'tinyml doctor checks that the tool works at all',
  });
}

export function toolNoOutput(tool: string, expected: string): TinymlError {
  return new TinymlError({
    code: 'E_TOOL_FAILED',
    exit: 2,
    what: `${tool} reported success but did not make ${expected}`,
    hint: 'tinyml doctor shows which program answers to that name',
  });
}
