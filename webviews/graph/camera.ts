import type { Point, Size } from './layout.js';

/** Where the picture lies on screen: x_screen = x · scale + dx. CSS pixels. */
export interface Camera {
  readonly dx: number;
  readonly dy: number;
  readonly scale: number;
}

const LEAST = 0.02;
const MOST = 3;
const MARGIN = 16;

export const toScene = ({ dx, dy, scale }: Camera, { x, y }: Point): Point => ({ x: (x - dx) / scale, y: (y - dy) / scale });

/** Zooms so that the point on screen stays where it is. */
export function zoomed(camera: Camera, factor: number, { x, y }: Point): Camera {
  const scale = Math.max(LEAST, Math.min(MOST, camera.scale * factor));
  const by = scale / camera.scale;
  return { dx: x - (x - camera.dx) * by, dy: y - (y - camera.dy) * by, scale };
}

export const panned = (camera: Camera, dx: number, dy: number): Camera => ({ ...camera, dx: camera.dx + dx, dy: camera.dy + dy });

/** Some of the picture always stays in sight. */
export function clamped(camera: Camera, scene: Size, screen: Size): Camera {
  const along = (at: number, size: number, room: number) => Math.min(room - 40, Math.max(40 - size * camera.scale, at));
  return { ...camera, dx: along(camera.dx, scene.width, screen.width), dy: along(camera.dy, scene.height, screen.height) };
}

/** All of a rectangle as large as it fits; readable from its top, and from its right where the residual stream runs, when it would be too small for that. */
export function fitted(rect: Point & Size, screen: Size, readable = 0.75): Camera {
  const wide = (screen.width - 2 * MARGIN) / rect.width;
  const whole = Math.min(1, wide, (screen.height - 2 * MARGIN) / rect.height);
  const scale = Math.max(whole, Math.min(1, wide < readable / 2 ? wide : readable), LEAST);
  const [width, height] = [rect.width * scale, rect.height * scale];
  const left = width > screen.width - 2 * MARGIN ? screen.width - MARGIN - width : (screen.width - width) / 2;
  const top = height > screen.height - 2 * MARGIN ? MARGIN : (screen.height - height) / 2;
  return { scale, dx: left - rect.x * scale, dy: top - rect.y * scale };
}

/** Moves just enough that the rectangle is seen; unreadable pictures come nearer. */
export function revealed(camera: Camera, rect: Point & Size, screen: Size): Camera {
  const near = camera.scale < 0.5 ? zoomed(camera, 0.8 / camera.scale, { x: screen.width / 2, y: screen.height / 2 }) : camera;
  const along = (at: number, from: number, size: number, room: number) => {
    const start = from * near.scale + at;
    const end = start + Math.min(size * near.scale, room - 2 * MARGIN);
    return start < MARGIN ? at + MARGIN - start : end > room - MARGIN ? at + room - MARGIN - end : at;
  };
  return {
    scale: near.scale,
    dx: along(near.dx, rect.x, rect.width, screen.width),
    dy: along(near.dy, rect.y, rect.height, screen.height),
  };
}
