// Follows a video to its end: by events where a stream is free, else by asking now and then.
import type { Api } from "./api.ts";
import { Problem, isAbort } from "./problem.ts";
import { isFinal, type Progress, type Video, type VideoState } from "./types.ts";

/** A browser opens six connections to one HTTP/1.1 server; half of them stay free for calls. */
const MAX_STREAMS = 3;
const POLL_MS = 2000;
const RETRY_MS = 1000;

export interface Seen {
  state: VideoState;
  progress: Progress | undefined;
}

export class Watcher {
  readonly #api: Api;
  #streams = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Tells `onProgress` what happens and gives back the finished video; throws when it is gone. */
  async follow(id: string, onProgress: (seen: Seen) => void, signal: AbortSignal): Promise<Video> {
    let token = "";
    for (;;) {
      signal.throwIfAborted();
      try {
        if (this.#streams < MAX_STREAMS) {
          for await (const event of this.#events(id, token, signal)) {
            token = event.resume_token || token;
            if (event.video) return event.video;
            onProgress({ state: event.state, progress: event.progress });
          }
        }
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
    this.#streams += 1;
    try {
      yield* this.#api.events(id, token, signal);
    } catch (error) {
      if (isAbort(error) || !worthARetry(error)) throw error;
    } finally {
      this.#streams -= 1;
    }
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
