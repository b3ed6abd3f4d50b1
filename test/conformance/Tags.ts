/** The tag that each recorded refusal must get. */
export const tags: { readonly [id: string]: { readonly tag: string; readonly reason?: string } } = {}
