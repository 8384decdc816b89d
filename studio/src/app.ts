// What the parts of the page share.
import type { Api } from "./api.ts";
import type { Capabilities, Video } from "./types.ts";
import type { Watcher } from "./watch.ts";

export const MAX_COMPARED = 4;

/** The videos that are picked for comparing. */
export class Picked {
  readonly #videos = new Map<string, Video>();
  readonly #listeners = new Set<() => void>();

  get videos(): Video[] {
    return [...this.#videos.values()];
  }

  has(name: string): boolean {
    return this.#videos.has(name);
  }

  get full(): boolean {
    return this.#videos.size >= MAX_COMPARED;
  }

  toggle(video: Video, picked: boolean): void {
    if (picked && !this.full) this.#videos.set(video.name, video);
    else this.#videos.delete(video.name);
    this.#tell();
  }

  forget(name: string): void {
    if (this.#videos.delete(name)) this.#tell();
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

export interface App {
  readonly api: Api;
  readonly can: Capabilities;
  readonly watcher: Watcher;
  readonly picked: Picked;
  /** Put an earlier prompt into the form. */
  reuse(video: Video): void;
  /** Show a video among the current ones. */
  open(video: Video): void;
  /** Ask, then delete; whether it is gone. */
  remove(video: Video): Promise<boolean>;
  /** A line for everybody to see. */
  say(text: string, bad?: boolean): void;
}
