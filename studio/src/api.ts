// The HTTP API. The key goes into the Authorization header and nowhere else.
import { Problem, problemOf } from "./problem.ts";
import { readEvents } from "./sse.ts";
import type {
  Capabilities,
  CreateVideoRequest,
  Media,
  OutputName,
  Video,
  VideoPage,
  VideoProgress,
  VideoState,
} from "./types.ts";

export class Api {
  readonly #key: string;
  /** Called when the key is not (or no longer) good. */
  onUnauthenticated: (problem: Problem) => void = () => {};

  constructor(key: string) {
    this.#key = key;
  }

  async capabilities(): Promise<Capabilities> {
    return this.#json("/api/v1/capabilities");
  }

  async create(request: CreateVideoRequest): Promise<Video> {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify(request);
    return this.#json("/api/v1/videos", { method: "POST", headers, body });
  }

  async get(id: string): Promise<Video> {
    return this.#json(`/api/v1/videos/${encodeURIComponent(id)}`);
  }

  async list(pageSize: number, pageToken: string, states: VideoState[]): Promise<VideoPage> {
    const query = new URLSearchParams({ page_size: String(pageSize) });
    if (pageToken) query.set("page_token", pageToken);
    for (const state of states) query.append("state", state);
    return this.#json(`/api/v1/videos?${query}`);
  }

  async cancel(id: string): Promise<Video> {
    return this.#json(`/api/v1/videos/${encodeURIComponent(id)}/cancel`, { method: "POST" });
  }

  async delete(id: string): Promise<void> {
    await this.#fetch(`/api/v1/videos/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  async upload(file: File, signal: AbortSignal): Promise<Media> {
    const query = new URLSearchParams({ filename: file.name.slice(0, 255) });
    const headers = { "Content-Type": file.type || "application/octet-stream" };
    return this.#json(`/api/v1/media?${query}`, { method: "POST", headers, body: file, signal });
  }

  async media(uri: string): Promise<Blob> {
    const query = new URLSearchParams({ uri, redirect: "false" });
    return (await this.#fetch(`/api/v1/media/content?${query}`)).blob();
  }

  async output(id: string, output: OutputName): Promise<Blob> {
    const path = `/api/v1/videos/${encodeURIComponent(id)}/outputs/${output}?redirect=false`;
    return (await this.#fetch(path)).blob();
  }

  /** Progress events after `token` until the stream ends; it may end before the video does. */
  async *events(id: string, token: string, signal: AbortSignal): AsyncGenerator<VideoProgress> {
    const headers: Record<string, string> = token ? { "Last-Event-ID": token } : {};
    const path = `/api/v1/videos/${encodeURIComponent(id)}/events`;
    const answer = await this.#fetch(path, { headers, signal });
    if (!answer.body) return; // 204: nothing is left to say
    for await (const data of readEvents(answer.body)) yield JSON.parse(data) as VideoProgress;
  }

  async #json<T>(path: string, init: RequestInit = {}): Promise<T> {
    return (await this.#fetch(path, init)).json() as Promise<T>;
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#key) headers.set("Authorization", `Bearer ${this.#key}`);
    let answer: Response;
    try {
      answer = await fetch(path, { ...init, headers, credentials: "omit", referrerPolicy: "no-referrer" });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new Problem(0, { message: "the server cannot be reached; is it up?" });
    }
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (problem.code === 401) this.onUnauthenticated(problem);
    throw problem;
  }
}
