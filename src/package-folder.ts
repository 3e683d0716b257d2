/**
 * The package's own folder. This file is one folder below it, in `src/` as in `dist/`, where the build puts all files
 * side by side: what lies beside the code is found from here, and from nowhere deeper.
 */
export const PACKAGE_FOLDER = new URL('..', import.meta.url);
