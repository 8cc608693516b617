/** See `build/emoji.ts`. */
declare module "virtual:emoji/*" {
  const text: string
  export default text
}
