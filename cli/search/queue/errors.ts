import { TinymlError } from '../../../common/tinyml-error.ts';

export function peerMissing(): TinymlError {
  return new TinymlError({
    code: 'E_PEER_MISSING',
    exit: 2,
    what: 'trials are spread over machines by BullMQ, which is not installed',
    hint: 'npm install bullmq@6 ioredis@6 beside tinyml; without --queue neither is needed',
  });
}

export function queueUnreachable(url: string, reason: string): TinymlError {
  return new TinymlError({
    code: 'E_QUEUE',
    exit: 2,
    what: `no Redis server can be used at ${url} (${reason})`,
    hint: 'start redis-server there and check host, port and firewall',
  });
}

export function dataIsFolder(path: string): TinymlError {
  return new TinymlError({
    code: 'E_QUEUE_DATA',
    exit: 1,
    what: `${path}: is a folder, which --queue does not send to other machines`,
    hint: 'put the samples into one .npz with x and y',
  });
}

export function tooBigToSend(path: string, bytes: number, limit: number): TinymlError {
  return new TinymlError({
    code: 'E_QUEUE_DATA',
    exit: 1,
    what: `${path}: is too big to be sent through a queue`,
    measure: `${bytes} bytes, the limit is ${limit}`,
    hint: 'take fewer samples; some thousand are enough to compare conversions',
  });
}

/** Thrown in a worker; the search sees it as the reason of a failed trial. */
export function otherVersion(own: string, theirs: string): TinymlError {
  return new TinymlError({
    code: 'E_WORKER_VERSION',
    exit: 2,
    what: `the worker runs tinyml ${own}, the search ${theirs}; their figures cannot be compared`,
    hint: 'install the same version on both machines',
  });
}

export function damagedJob(what: string): TinymlError {
  return new TinymlError({
    code: 'E_QUEUE_JOB',
    exit: 2,
    what: `a job from the queue cannot be used: ${what}`,
    hint: 'check that only tinyml of the same version uses this queue',
  });
}
