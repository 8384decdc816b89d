// Follows a video to its end: by events where a stream is free, else by asking now and then.
import type { Api } from "./api.ts";
import { Problem, isAbort } from "./problem.ts";
import { isFinal, type Progress, type Video, type VideoState } from "./types.ts";

/** A browser opens six connections to one HTTP/1.1 server, for all tabs together; half of them stay
 * free for calls. */
const STREAMS = ["omnireel.stream.1", "omnireel.stream.2", "omnireel.stream.3"];
const POLL_MS = 2000;
const RETRY_MS = 1000;

export interface Seen {
  state: VideoState;
  progress: Progress | undefined;
}

export class Watcher {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Tells `onProgress` what happens and gives back the finished video; throws when it is gone. */
  async follow(id: string, onProgress: (seen: Seen) => void, signal: AbortSignal): Promise<Video> {
    let token = "";
    for (;;) {
      signal.throwIfAborted();
      try {
        let made: Video | undefined;
        await whereOneIsFree(async () => {
          for await (const event of this.#events(id, token, signal)) {
            token = event.resume_token || token;
            if (event.video) {
              made = event.video;
              return;
            }
            onProgress({ state: event.state, progress: event.progress });
          }
        });
        if (made) return made;
        const video = await this.#api.get(id); // the stream ended early, or there is none for us
        if (isFinal(video.state)) return video;
        onProgress({ state: video.state, progress: video.progress });
        await pause(POLL_MS, signal);
      } catch (error) {
        if (isAbort(error) || !worthARetry(error)) throw error;
        await pause(RETRY_MS, signal);
      }
    }
  }

  async *#events(id: string, token: string, signal: AbortSignal) {
    try {
      yield* this.#api.events(id, token, signal);
    } catch (error) {
      if (isAbort(error) || !worthARetry(error)) throw error;
    }
  }
}

/** Does `work` while one of the streams of all tabs is held for it; nothing when all are taken. */
async function whereOneIsFree(work: () => Promise<void>): Promise<void> {
  if (!isSecureContext) return; // the tabs cannot agree there: locks need one
  for (const stream of STREAMS) {
    const held = await navigator.locks.request(stream, { ifAvailable: true }, async (lock) => {
      if (lock) await work();
      return lock !== null;
    });
    if (held) return;
  }
}

/** The server is away, full or restarting, or the connection broke: the video may well go on. */
function worthARetry(error: unknown): boolean {
  if (error instanceof Problem) return error.code === 0 || error.code === 429 || error.code >= 500;
  return error instanceof TypeError;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
