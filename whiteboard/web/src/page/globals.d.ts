/** The name of this build. */
declare const __BUILD__: string;
declare module '*.css';
