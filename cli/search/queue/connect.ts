import type * as Bullmq from 'bullmq';
import type { Redis } from 'ioredis';
import { peerMissing, queueUnreachable } from './errors.ts';

/** The Redis client and the queue, which are installed by those who use them. */
export interface QueueModules {
  readonly bullmq: typeof Bullmq;
  readonly Redis: typeof Redis;
}

async function loadModules(): Promise<QueueModules> {
  try {
    const [bullmq, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { bullmq, Redis };
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') throw peerMissing();
    throw error;
  }
}

/** A URL without its password, for messages. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}

export interface QueueConnection extends QueueModules {
  /** For everything but the queue itself. */
  readonly redis: Redis;
  /** A further connection, which comes back by itself when the server does. */
  connect(): Redis;
  close(): void;
}

/** Connects to a Redis server. Throws E_PEER_MISSING, and E_QUEUE where nothing answers there. */
export async function connectQueue(url: string, onTrouble: (text: string) => void): Promise<QueueConnection> {
  if (!/^rediss?:\/\/[^\s]+$/.test(url))
    throw queueUnreachable(withoutPassword(url), 'it is not redis://HOST:PORT');
  const modules = await loadModules();
  const { Redis } = modules;
  const probe = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  // Told by the rejection below as well; without a listener ioredis prints it.
  let reason = '';
  probe.on('error', (error: Error) => {
    reason = error.message || ((error as NodeJS.ErrnoException).code ?? '');
  });
  try {
    await probe.connect();
    await probe.ping();
  } catch (error) {
    throw queueUnreachable(withoutPassword(url), reason || (error as Error).message);
  } finally {
    probe.disconnect();
  }
  const opened: Redis[] = [];
  const connect = () => {
    const redis = new Redis(url, { maxRetriesPerRequest: null });
    redis.on('error', (error: Error) => onTrouble(error.message));
    opened.push(redis);
    return redis;
  };
  return {
    ...modules,
    redis: connect(),
    connect,
    close: () => {
      for (const redis of opened) redis.disconnect();
    },
  };
}

/** One queue for each kind of board: a worker takes what it has the board for. */
export function queueName(board: string): string {
  return `tinyml-search-${board}`;
}
