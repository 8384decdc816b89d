// How states, sizes and times are said to people.
import type { Progress, Role, Stage, Video, VideoFormat, VideoState } from "./types.ts";

export const STATES: Record<VideoState, string> = {
  VIDEO_STATE_QUEUED: "Queued",
  VIDEO_STATE_RUNNING: "Running",
  VIDEO_STATE_CANCELLING: "Cancelling",
  VIDEO_STATE_SUCCEEDED: "Done",
  VIDEO_STATE_FAILED: "Failed",
  VIDEO_STATE_CANCELLED: "Cancelled",
};

export const STAGES: Partial<Record<Stage, string>> = {
  STAGE_QUEUED: "Queue",
  STAGE_ENHANCING: "Enhance",
  STAGE_GENERATING: "Generate",
  STAGE_UPSCALING: "Upscale",
  STAGE_FINISHING: "Finish",
};

export const IMAGE_ROLES: [Role, string][] = [
  ["ROLE_REFERENCE", "Reference"],
  ["ROLE_FIRST_FRAME", "First frame"],
  ["ROLE_LAST_FRAME", "Last frame"],
  ["ROLE_SOURCE", "Source to edit"],
  ["ROLE_STORYBOARD", "Storyboard"],
  ["ROLE_ANNOTATION", "Annotation"],
];

export const VIDEO_ROLES: [Role, string][] = [
  ["ROLE_SOURCE", "Source to edit"],
  ["ROLE_REFERENCE", "Reference"],
  ["ROLE_MOTION", "Motion"],
  ["ROLE_CAMERA", "Camera move"],
  ["ROLE_ANNOTATION", "Annotation"],
];

/** `about 1 min 5 s`. */
export function time(seconds: number): string {
  const whole = Math.max(Math.round(seconds), 1);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function size(bytes: number): string {
  if (bytes < 1 << 20) return `${Math.ceil(bytes / 1024)} KB`;
  return `${(bytes / (1 << 20)).toFixed(1)} MB`;
}

/** Where a video is, in one line. */
export function standing(state: VideoState, progress: Progress | undefined): string {
  if (state !== "VIDEO_STATE_QUEUED" && state !== "VIDEO_STATE_RUNNING") return STATES[state];
  const words: string[] = [];
  if (state === "VIDEO_STATE_QUEUED") {
    const ahead = progress?.queue_position ?? 0;
    words.push(ahead > 0 ? `Queued, ${ahead} ahead` : "Queued");
  } else if (progress) {
    words.push(STAGES[progress.stage] ?? "Running");
    if (progress.num_steps > 0) words.push(`step ${progress.step} of ${progress.num_steps}`);
  } else {
    words.push("Running");
  }
  if (progress?.eta) words.push(`about ${time(Number.parseFloat(progress.eta))} left`);
  return words.join(" · ");
}

export function format(f: VideoFormat): string {
  return `${f.width}×${f.height} · ${duration(f)}`;
}

export function duration(f: { num_frames: number; fps: number }): string {
  return f.num_frames === 1 ? "1 frame" : `${(f.num_frames / f.fps).toFixed(1)}\u00a0s`;
}

/** How long the work took, or nothing. */
export function took(video: Video): string {
  if (!video.start_time || !video.end_time) return "";
  return time((Date.parse(video.end_time) - Date.parse(video.start_time)) / 1000);
}

export function when(timestamp: string | undefined): string {
  if (!timestamp) return "";
  return new Date(timestamp).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
