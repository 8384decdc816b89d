// Object URLs of bytes that were fetched: what <img> and <video> show, since they cannot send a key.

export class Urls {
  readonly #made = new Set<string>();

  of(blob: Blob): string {
    const url = URL.createObjectURL(blob);
    this.#made.add(url);
    return url;
  }

  revoke(url: string): void {
    if (this.#made.delete(url)) URL.revokeObjectURL(url);
  }

  revokeAll(): void {
    for (const url of this.#made) URL.revokeObjectURL(url);
    this.#made.clear();
  }
}
