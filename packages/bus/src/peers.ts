import type { RpcName, RpcReply, RpcRequest } from '@interlock/contracts';
import { onCancel, onResult, sendCancel, sendResult } from './channel.ts';
import type { BusContext } from './context.ts';
import { askRpc, serveRpc } from './rpc.ts';

/** Messages straight to another service, stored nowhere: requests with replies, and the channel of a call. */
export interface Peers {
  /** Serves a request-reply verb, from when it resolves. A Fault travels to the caller with its code. */
  serve<N extends RpcName>(name: N, answer: (request: RpcRequest<N>) => Promise<RpcReply<N>>): Promise<void>;
  /** Sends a request. Throws the server's Fault, or `dependency_unavailable` when no reply comes in time. */
  ask<N extends RpcName>(name: N, request: RpcRequest<N>, timeoutMs: number): Promise<RpcReply<N>>;
  /** Sends a result's body to the replica that holds the call, in frames. */
  sendResult(replyTo: string, call: string, body: Uint8Array): void;
  /** Calls back with each whole result body that is sent to a replica. */
  onResult(replica: string, listener: (call: string, body: Uint8Array) => void): Promise<void>;
  /** Publishes to the executors that the agent of a call no longer waits. */
  sendCancel(replica: string, call: string): void;
  /** Calls back with each call whose agent no longer waits. */
  onCancel(listener: (call: string) => void): Promise<void>;
}

/** Opens the ways to other services over a connection. */
export function openPeers(at: BusContext): Peers {
  const { connection, log } = at;
  return {
    serve: (name, answer) => serveRpc(connection, log, name, answer),
    ask: (name, request, timeoutMs) => askRpc(connection, name, request, timeoutMs),
    sendResult: (replyTo, call, body) => sendResult(connection, replyTo, call, body),
    onResult: (replica, listener) => onResult(connection, replica, listener),
    sendCancel: (replica, call) => sendCancel(connection, replica, call),
    onCancel: (listener) => onCancel(connection, listener),
  };
}
