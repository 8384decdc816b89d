"use strict";

// Every canvas draws the frame of one common clock, so that all clips play in step.
class Stage {
  constructor() {
    this.shown = new Map();
    this.started = performance.now();
    this.stopped = null;
    requestAnimationFrame((now) => this.draw(now));
  }

  put(canvas, clip) {
    canvas.width = clip.width;
    canvas.height = clip.height;
    const image = new Image();
    image.src = clip.sprite;
    this.shown.set(canvas, { clip, image, drawn: -1 });
  }

  take(canvas) {
    this.shown.delete(canvas);
  }

  clear() {
    this.shown.clear();
    this.started = performance.now();
    this.stopped = null;
  }

  toggle() {
    const now = performance.now();
    if (this.stopped === null) {
      this.stopped = now;
    } else {
      this.started += now - this.stopped;
      this.stopped = null;
    }
  }

  draw(now) {
    const seconds = ((this.stopped ?? now) - this.started) / 1000;
    for (const [canvas, player] of this.shown) {
      const { clip, image } = player;
      const frame = Math.floor(Math.max(seconds, 0) * clip.fps) % clip.frames;
      if (!image.complete || frame === player.drawn) continue;
      const column = frame % clip.columns, row = Math.floor(frame / clip.columns);
      canvas.getContext("2d").drawImage(image, column * clip.width, row * clip.height,
        clip.width, clip.height, 0, 0, clip.width, clip.height);
      player.drawn = frame;
    }
    requestAnimationFrame((next) => this.draw(next));
  }
}
